"""The overlay of the cord. It shows what a pull would reach and offers it to the switch; it never pulls itself."""

import gc
from functools import partial
from typing import Protocol, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.actions import Console
from console.desk.blast import blast, refusals, scopes, symbols, symbols_of
from console.desk.moment import Moment
from console.desk.pull import Level, Scope
from console.desk.reconcile import Comparison
from console.desk.state import DeskState
from console.desk.timeline import some
from console.desk.tree import KillSwitch, Leaf
from console.screens.live import LiveScreen
from console.screens.views import cord as view
from console.switch import LEVELS, CordSwitch
from widgets.lines import Lines

FRAME = 14
"""Lines of the overlay that are not the reach: border, title, scope, levels, foot and the blanks between."""
LEAST_REACH = 6


class CordConsole(Console, Protocol):
    """What this overlay needs of the program beyond what actions do."""

    switch: CordSwitch

    def when_painted(self, offer: int) -> None:
        """Tell the switch once everything drawn so far has left for the terminal."""
        ...


class CordScreen(LiveScreen, ModalScreen[None]):
    """Digits are the switch's. What of them arrives here came too early or is not offered, and is told so."""

    CSS_PATH = "cord.tcss"
    BINDINGS = [
        Binding("tab,down", "scope(1)", "Scope", show=False),
        Binding("shift+tab,up", "scope(-1)", "Scope", show=False),
        Binding("right", "move(1)", "Next", show=False),
        Binding("left", "move(-1)", "Before", show=False),
        Binding("space", "pick", "Pick", show=False),
        Binding("s", "symbols", "Symbols", show=False),
        Binding("p", "spare('keep_protective')", "Keep protective", show=False),
        Binding("o", "spare('own_only')", "Own only", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(self, leaf: Leaf | None = None, *, looked_back: bool = False) -> None:
        """`leaf` is the one of a tree from which the overlay was opened: it says a level, and pulls nothing.
        `looked_back` where it was opened above an archived desk: what it pulls is the live one, and it says so."""
        super().__init__()
        self._origin = "tree" if isinstance(leaf, KillSwitch) else "console"
        self._scope: Scope | None = Scope("desk")  # None while symbols are picked
        self._picked: tuple[str, ...] = ()
        self._cursor = 0
        self._note = view.advice(leaf.level) if isinstance(leaf, KillSwitch) else ""
        self._looked_back = looked_back
        self._spares = {"keep_protective": False, "own_only": False}

    @property
    def hand(self) -> CordConsole:
        return cast("CordConsole", self.app)

    @property
    def chosen(self) -> Scope | None:
        """What a digit would pull; None where nothing is picked yet."""
        if self._scope is None and self._picked:
            return Scope("symbol", self._picked)
        return self._scope

    def compose(self) -> ComposeResult:
        with Vertical(id="cord"):
            yield Lines(id="title")
            yield Lines(id="scope")
            yield Lines(id="reach")
            yield Lines(id="levels")
            yield Lines(id="foot")

    def on_screen_resume(self) -> None:
        gc.disable()  # a full collection keeps the interpreter from the thread that reads keys for 50 ms and more
        self._offer()

    def on_screen_suspend(self) -> None:
        self._withdraw()

    def on_unmount(self) -> None:
        self._withdraw()

    def _withdraw(self) -> None:
        self.hand.switch.disarm()
        gc.enable()

    def _offer(self) -> None:
        """Show what is chosen, and arm it once it was seen."""
        self.refresh_moment()
        chosen = self.chosen
        if chosen is None:
            self.hand.switch.disarm()
            return
        refused = self._refused(chosen)
        offer = self.hand.switch.offer(
            chosen,
            [level for level in Level if level not in refused],
            keep_protective=self._spares["keep_protective"],
            own_only=self._spares["own_only"],
            origin=self._origin,
        )
        self.call_after_refresh(self.call_after_refresh, partial(self.hand.when_painted, offer))

    def present(self, moment: Moment, comparison: Comparison) -> None:
        width, state = self.query_one("#title", Lines).room, moment.state
        chosen = self.chosen
        picked = view.Picked(symbols(state), self._picked, self._cursor)
        kind = "symbol" if self._scope is None else self._scope.kind
        refused = self._refused(chosen) if chosen else {}
        reached = blast(state, chosen or Scope("desk"), **self._spares)
        levels = view.levels(reached, refused, self._instead(state), width, armed=chosen is not None)
        frame = FRAME + self._looked_back
        height = max(LEAST_REACH, self.size.height - frame - max(0, len(levels) - 2))
        live = [view.live_now(moment, width)] if self._looked_back else []
        self.query_one("#title", Lines).show([*live, view.title(moment, width)])
        self.query_one("#scope", Lines).show(view.scope_lines(scopes(state), kind, chosen, picked, width))
        self.query_one("#reach", Lines).show(
            view.reach(moment, reached, width, height) if chosen else view.nothing_picked()
        )
        self.query_one("#levels", Lines).show(levels)
        self.query_one("#foot", Lines).show([view.foot(reached, self._note, kind, width)])

    def _refused(self, chosen: Scope) -> dict[Level, str]:
        return refusals(self.console.moment.state, chosen, own_only=self._spares["own_only"])

    def _instead(self, state: DeskState) -> str:
        """What to do where a strategy can not be flattened."""
        if self._scope is None or self._scope.kind != "strategy":
            return ""
        return f"; s picks {some(symbols_of(state, self._scope))} instead"

    def on_key(self, event: events.Key) -> None:
        """A key that the switch did not take."""
        self._note = self._said(event.key)
        self.refresh_moment()

    def _said(self, key: str) -> str:
        level, chosen = LEVELS.get(key), self.chosen
        if level is None:
            return ""
        if chosen is None:
            return "pick a symbol first: Space"
        if level in self._refused(chosen):
            return f"{key} is not offered for this scope"
        return "too soon after this appeared: once more"

    def action_scope(self, by: int) -> None:
        """To the next scope; the symbols come after the last strategy."""
        offered = [*scopes(self.console.moment.state), None]
        at = offered.index(self._scope) if self._scope in offered else 0
        self._scope = offered[(at + by) % len(offered)]
        self._offer()

    def action_move(self, by: int) -> None:
        """Along the symbols; elsewhere to the next scope."""
        if self._scope is not None:
            self.action_scope(by)
            return
        known = symbols(self.console.moment.state)
        self._cursor = (self._cursor + by) % max(1, len(known))
        self._offer()

    def action_pick(self) -> None:
        known = symbols(self.console.moment.state)
        if self._scope is None and self._cursor < len(known):
            symbol = known[self._cursor]
            kept = tuple(name for name in self._picked if name != symbol)
            self._picked = kept if symbol in self._picked else tuple(sorted((*self._picked, symbol)))
        self._offer()

    def action_symbols(self) -> None:
        """To the symbols; from a strategy with its own already picked."""
        state = self.console.moment.state
        if self._scope is not None and self._scope.kind == "strategy":
            self._picked = symbols_of(state, self._scope)
        known = symbols(state)
        self._cursor = known.index(self._picked[0]) if self._picked and self._picked[0] in known else 0
        self._scope = None
        self._offer()

    def action_spare(self, spare: str) -> None:
        """Leave these orders, or take them along again."""
        self._spares[spare] = not self._spares[spare]
        self._note = ""
        self._offer()

    def action_leave(self) -> None:
        self.dismiss()
