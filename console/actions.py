"""Every action of the console, once. Bindings, footer, help and palette all derive from this registry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from textual.binding import Binding, BindingType

from console.desk.moment import Moment
from console.desk.pull import Verdict
from console.desk.reconcile import Comparison


class Console(Protocol):
    """What an action may ask of the running program."""

    @property
    def moment(self) -> Moment: ...
    @property
    def comparison(self) -> Comparison: ...
    def act(self, name: str) -> None: ...
    def show_room(self, name: str) -> None: ...
    def open_cord(self) -> None: ...
    def open_resume(self) -> None: ...
    def open_adjust(self) -> None: ...
    def open_filter(self) -> None: ...
    def open_help(self) -> None: ...
    def open_palette(self) -> None: ...
    def ask_reason(self) -> None: ...
    def copy_script(self) -> None: ...
    def start_guard(self) -> None: ...
    def ask_incident(self) -> None: ...
    def ask_note(self) -> None: ...
    def take_snapshot(self) -> None: ...
    def leave(self) -> None: ...
    @property
    def looks_back(self) -> bool:
        """Whether the screen in sight shows a desk as it was, and not as it is."""
        ...

    def in_room(self, what: str) -> None:
        """Do what the room in sight offers under this name."""
        ...

    def not_in_room(self, what: str) -> str:
        """Why the room in sight does not do that now; empty where it does."""
        ...


def _always(console: Console) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Action:
    """`keys` are Textual's names, `shown` what a person reads, and `elsewhere` the same where a room has that key for
    itself; `refuses` gives the reason why it is disabled now, or nothing. A `priority` action works on every screen,
    above every overlay. `room` names the room it opens, `at` the only room that it is for."""

    id: str
    keys: tuple[str, ...]
    shown: str
    label: str
    help: str
    group: str
    run: Callable[[Console], None]
    refuses: Callable[[Console], str] = _always
    room: str = ""
    at: str = ""
    dangerous: bool = False
    priority: bool = False
    foot: bool = False
    elsewhere: str = ""


def _room(name: str, key: str, label: str, about: str, refuses: Callable[[Console], str] | None = None) -> Action:
    """A room of the desk's, unless it says that it needs none."""
    return Action(
        f"room.{name}",
        (key,),
        key,
        label,
        about,
        "Rooms",
        lambda console: console.show_room(name),
        refuses=refuses or _no_desk,
        room=name,
    )


def _later(name: str, key: str, label: str, about: str) -> Action:
    return Action(
        f"room.{name}",
        (key,),
        key,
        label,
        about,
        "Rooms",
        lambda console: None,
        refuses=lambda console: "not in this version yet",
        room=name,
    )


def _in(room: str, name: str, key: str, shown: str, label: str, about: str) -> Action:
    """What one room alone offers; `key` may be several, with commas between."""
    return Action(
        f"{room}.{name}",
        tuple(key.split(",")),
        shown,
        label,
        about,
        "Here",
        lambda console: console.in_room(name),
        refuses=lambda console: console.not_in_room(name),
        at=room,
        foot=True,
    )


def _no_desk(console: Console) -> str:
    return "" if console.moment.live else "no desk is attached: this console reads an archive"


def _not_now(console: Console) -> str:
    """Why nothing is done to the desk from what is in sight."""
    if console.looks_back:
        return "this is an archived desk: 1 goes to the live one" if console.moment.live else _no_desk(console)
    return _no_desk(console)


def _never_pulled(console: Console) -> str:
    return _not_now(console) or ("" if console.moment.state.pulls else "the cord has not been pulled")


def _no_reason(console: Console) -> str:
    return _never_pulled(console) or ("read-only: nothing is written" if console.moment.read_only else "")


def _nothing_to_resume(console: Console) -> str:
    moment = console.moment
    if away := _not_now(console):
        return away
    if moment.read_only:
        return "read-only: nothing is resumed"
    if not (moment.state.pulls or moment.state.nameless or moment.state.size < 1):
        return "the cord has not been pulled"
    return "only a guard can prove the way back: g starts one" if moment.down else ""


def _nothing_to_adjust(console: Console) -> str:
    moment, comparison = console.moment, console.comparison
    if away := _not_now(console):
        return away
    if moment.read_only:
        return "read-only: no book is changed"
    if moment.down:
        return "only a guard adjusts books: g starts one"
    if comparison.differences or comparison.in_flight:
        return ""
    if comparison.unknown:
        return f"a side could not be read, so nothing is adjusted: {comparison.unknown[0]}"
    return "nothing differs between book and broker"


def _all_proven(console: Console) -> str:
    pulls = console.moment.state.pulls.values()
    waiting = any(pull.verdict in (Verdict.PARTIAL, Verdict.UNKNOWN) for pull in pulls)
    return _never_pulled(console) or ("" if waiting else "no venue is PARTIAL or UNKNOWN")


def _guard_runs(console: Console) -> str:
    if away := _not_now(console):
        return away
    if console.moment.read_only:
        return "read-only: nothing is started"
    return "" if console.moment.down else "the guard is running"


def _no_record(console: Console) -> str:
    """Why nothing is put on record now. It needs no guard: without one it is kept in a journal of the user's own."""
    return _not_now(console) or ("read-only: nothing is written" if console.moment.read_only else "")


def _no_new_incident(console: Console) -> str:
    known = console.moment.state.logbook.open_incident
    return _no_record(console) or (f"{known.id} is open: m writes into it, e captures" if known else "")


def _no_open_incident(console: Console) -> str:
    return _no_record(console) or (
        "" if console.moment.state.logbook.open_incident else "no incident is open: i opens one"
    )


def _no_snapshot(console: Console) -> str:
    return _no_open_incident(console) or ("only a guard captures evidence: g starts one" if console.moment.down else "")


def _no_cord(console: Console) -> str:
    if not console.moment.live:
        return "there is nothing to pull: no desk is attached to this console"
    return "READ-ONLY: this console pulls nothing; use another one, or andon kill" if console.moment.read_only else ""


ACTIONS: tuple[Action, ...] = (
    _room("desk", "1", "Desk", "Monitors, strategies, what happened, what to do next"),
    _room("book", "2", "Book", "The strategies’ books beside what the brokers report"),
    _later("incidents", "3", "Incidents", "Numbered incidents and their clocks"),
    _room("recovery", "4", "Recovery", "From a symptom, by yes and no, to what to do"),
    _room("runbooks", "5", "Runbooks", "Everything written down; procedures, step by step", _always),
    _room("cadence", "6", "Cadence", "What is due before launch, daily, weekly and later"),
    _room("archive", "7", "Archive", "Sealed evidence of past incidents", _always),
    Action(
        "cord",
        ("K", "shift+k", "f10"),
        "K",
        "KILL",
        "Opens the cord: from 1 pause entries to 4 flatten",
        "Cord",
        lambda console: console.open_cord(),
        refuses=_no_cord,
        dangerous=True,
        priority=True,
        foot=True,
    ),
    Action(
        "verdict",
        ("v", "V", "shift+v"),
        "v",
        "Verdict",
        "What the venues have proven about the last pull",
        "Cord",
        lambda console: console.show_room("verdict"),
        refuses=_never_pulled,
        elsewhere="V",
    ),
    Action(
        "reason",
        ("r",),
        "r",
        "Reason",
        "Write down why the cord was pulled",
        "Cord",
        lambda console: console.ask_reason(),
        refuses=_no_reason,
    ),
    Action(
        "resume",
        ("u",),
        "u",
        "Resume",
        "The way back: each proof, and what leads to it",
        "Cord",
        lambda console: console.open_resume(),
        refuses=_nothing_to_resume,
    ),
    Action(
        "adjust",
        ("a",),
        "a",
        "Adjust",
        "What differs, and the books brought to broker truth",
        "Cord",
        lambda console: console.open_adjust(),
        refuses=_nothing_to_adjust,
    ),
    Action(
        "copy",
        ("c",),
        "c",
        "Copy",
        "Sends what to tell a broker’s desk to your clipboard",
        "Cord",
        lambda console: console.copy_script(),
        refuses=_all_proven,
    ),
    Action(
        "guard",
        ("g",),
        "g",
        "Guard",
        "Start one where none runs: it watches the desk",
        "Cord",
        lambda console: console.start_guard(),
        refuses=_guard_runs,
    ),
    Action(
        "incident",
        ("i",),
        "i",
        "Incident",
        "Open one: evidence is captured and sealed from here on",
        "Record",
        lambda console: console.ask_incident(),
        refuses=_no_new_incident,
    ),
    Action(
        "note",
        ("m",),
        "m",
        "Note",
        "Write a sentence into the open incident",
        "Record",
        lambda console: console.ask_note(),
        refuses=_no_open_incident,
    ),
    Action(
        "snapshot",
        ("e", "E", "shift+e"),
        "e",
        "Capture",
        "Capture and seal the whole desk as it is at this moment",
        "Record",
        lambda console: console.take_snapshot(),
        refuses=_no_snapshot,
        elsewhere="E",
    ),
    Action(
        "filter",
        ("slash",),
        "/",
        "filter",
        "Keep the rows that hold these words",
        "Look",
        lambda console: console.open_filter(),
        foot=True,
    ),
    Action(
        "help",
        ("question_mark",),
        "?",
        "help",
        "Every key, and what the glyphs mean",
        "Look",
        lambda console: console.open_help(),
        foot=True,
    ),
    Action(
        "palette",
        ("ctrl+p",),
        "^P",
        "palette",
        "Find any action, and choose a theme",
        "Look",
        lambda console: console.open_palette(),
        foot=True,
    ),
    Action("quit", ("q", "ctrl+q"), "q", "Quit", "Leave the console; the guard goes on", "Look", lambda c: c.leave()),
    _in("desk", "lead", "enter", "Enter", "what to do", "About a monitor: its class, its tree, its first step"),
    _in("runbooks", "open", "enter", "Enter", "open", "Read it; on a reference, follow it"),
    _in("runbooks", "back", "backspace", "Backspace", "back", "To where you came from"),
    _in("runbooks", "start", "s", "s", "start", "Run it step by step, or walk the tree"),
    _in("runbooks", "tick", "space", "Space", "done", "Tick the step; once more takes it back"),
    _in("runbooks", "skip", "x", "x", "skip", "Leave the step out, with the reason"),
    _in("runbooks", "override", "o", "o", "override", "Take it for done against the evidence; say why"),
    _in("runbooks", "note", "t", "t", "note", "Write something beside the step"),
    _in("runbooks", "finish", "f", "f", "finish", "The run is over: every step has its mark"),
    _in("runbooks", "abort", "e", "e", "abort", "The run is given up, with the reason"),
    _in("runbooks", "list", "escape", "Esc", "list", "Back to the list"),
    _in("recovery", "open", "enter", "Enter", "open", "Walk the tree; one on the way goes on where it was"),
    _in("recovery", "yes", "y", "y", "yes", "Answer yes"),
    _in("recovery", "no", "n", "n", "no", "Answer no"),
    _in("recovery", "back", "b,backspace", "b", "back", "Take the last answer back"),
    _in("recovery", "note", "t", "t", "note", "Write something down beside this question"),
    _in("recovery", "lower", "l", "l", "lower the gate", "To what the leaf says; y then confirms"),
    _in("recovery", "task", "d", "d", "keep the task", "Nothing is changed; it stays open until somebody closes it"),
    _in("recovery", "abort", "e", "e", "give up", "The walk is over and nothing was done; say why"),
    _in("recovery", "list", "escape", "Esc", "list", "Back to the symptoms; the walk stays where it is"),
    _in("cadence", "attest", "enter", "Enter", "attest", "Passed or failed, with a note and the evidence"),
    _in("cadence", "waive", "w", "w", "waive", "Let it pass this once, with the reason"),
    _in("cadence", "read", "o", "o", "read", "Open what the gate refers to"),
    _in("archive", "open", "enter", "Enter", "open", "An incident, an item of it, a row whole"),
    _in("archive", "verify", "v", "v", "verify", "Check every byte against the signed manifest"),
    _in("archive", "desk", "d", "d", "desk then", "The Desk as it was at the last seal"),
    _in("archive", "book", "b", "b", "book then", "The Book as it was at the last seal"),
    _in("archive", "sort", "s", "s", "sort", "By the column under the cursor: up, down, not at all"),
    _in("archive", "plot", "p", "p", "plot", "The numbers under the cursor over time"),
    _in("archive", "query", "colon", ":", "SQL", "One statement over all incidents"),
    _in("archive", "export", "x", "x", "export", "The whole incident as one file to take along"),
    _in("archive", "leave", "escape", "Esc", "back", "Ends what is going on; else one step back"),
)


def key_at(action: Action, room: str) -> str:
    """The key to press for it in a room, as a person reads it: where a room has a small letter for itself, the capital
    does what the letter does in every other room."""
    taken = action.at != room and any(other.at == room and action.keys[0] in other.keys for other in ACTIONS)
    return action.elsewhere if taken else action.shown


BY_ID = {action.id: action for action in ACTIONS}


def bindings(at: str = "") -> list[BindingType]:
    """Textual's bindings: those of the console, or those that one room alone has. None carries an id, so that no keymap
    can take a key away; the cord's are above all."""
    return [
        Binding(
            ",".join(action.keys),
            f"app.act('{action.id}')",
            action.label,
            show=False,
            priority=action.priority,
            tooltip=action.help,
        )
        for action in ACTIONS
        if action.at == at
    ]
