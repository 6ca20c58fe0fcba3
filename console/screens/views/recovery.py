"""Recovery: the symptoms, the question that is to be answered, and the leaf with what it will do."""

import textwrap
from collections.abc import Iterable

from console.desk.blast import blast
from console.desk.logbook import Logbook, TaskState, WalkState
from console.desk.moment import Moment
from console.desk.pull import Level, Scope
from console.desk.tree import Answer, KillSwitch, Leaf, Question, Resume, Throttle, Tree
from console.desk.words import age, clock, share
from console.runbooks.handbook import Handbook
from console.screens.views import cord
from console.screens.views.looks import LEAVES
from console.screens.views.page import chip
from console.screens.views.writer import ALL, Writer
from widgets.grid import Column, Row
from widgets.line import Line, band, cut, line, spread, width_of, wrap

TREE_COLUMNS = (Column("symptom", 58, grow=1), Column("tree", 16, drop=1), Column("walk", 8))
TASK_COLUMNS = (Column("since", 9), Column("task", 40, grow=1), Column("tree", 18, drop=1))

LABEL = 12

ANSWERS = {True: ("YES", "good"), False: ("NO", "warn")}


def tree_rows(trees: Iterable[Tree], log: Logbook) -> list[Row]:
    """What a person sees comes first; a walk on its way says where it stands."""
    rows = []
    for tree in trees:
        walk = log.unfinished_walk(tree.id)
        told = line((f"▶ at {walk.walk.here}", "key")) if walk else line()
        rows.append(Row(tree.id, (line((tree.symptom, "title" if walk else "")), line((tree.id, "dim")), told)))
    return rows


def symptom_lines(tree: Tree | None, walk: WalkState | None, width: int) -> list[Line]:
    """The symptom under the cursor in full, and how its tree begins or where it stands."""
    if tree is None:
        return []
    here = walk.walk.question if walk is not None else tree.questions[tree.start]
    told = [*wrap(line(), tree.symptom, "title", width, ALL)]
    if walk is not None:
        who = f"{walk.actor} walks it since {clock(walk.at)}Z; it goes on with: "
        return [*told, *wrap(line(), who + (here.ask if here else walk.walk.here), "key", width, ALL)]
    begins = f"{tree.title} begins with: {here.ask if here else ''}"
    return [*told, *wrap(line(), begins, "dim", width, ALL)]


def tasks_title(tasks: Iterable[TaskState]) -> str:
    return f" Open tasks  {len(list(tasks))} "


def task_rows(moment: Moment, tasks: Iterable[TaskState]) -> list[Row]:
    """What leaves have left to do, the latest first."""
    return [
        Row(task.id, (line((age(moment.now - task.at), "dim")), line(task.says), line((task.tree, "dim"))))
        for task in list(tasks)[::-1]
    ]


def heading(known: WalkState, width: int) -> Line:
    """Which walk this is, and where it stands; of which version, where there is room to say it."""
    walk = known.walk
    what = line((f" {walk.tree.id} ▸ {walk.here} ", "title"))
    begun = f"begun {clock(known.at)}Z by {known.actor} "
    versioned = f"version {walk.version} · {begun}"
    return spread(what, line((versioned if width_of(what) + len(versioned) < width else begun, "dim")), width)


def walk_page(moment: Moment, known: WalkState, note: str, book: Handbook, asked: bool, page: Writer) -> None:
    """The path so far, and where it stands. `note` waits for the next answer; `asked` is a throttle that only wants its
    confirmation."""
    for number, (answer, asked_for) in enumerate(known.walk.path, 1):
        _answered(number, answer, asked_for, page)
    page.blank()
    question, leaf = known.walk.question, known.walk.leaf
    if known.ended:
        _over(known, page)
    elif question is not None:
        _question(moment, len(known.walk.answers) + 1, question, known.walk.tree, page)
    elif leaf is not None:
        _leaf(moment, leaf, book, asked, page)
    if note:
        page.blank()
        page.fact("  note", f"“{note}” is kept with your answer", "key")


def _over(known: WalkState, page: Writer) -> None:
    """How the walk ended, and what of it is still to be looked at."""
    leaf = known.walk.leaf
    acted = known.ended == "acted"
    says = f"DONE  {leaf.says}" if acted and leaf is not None else "GIVEN UP"
    page.add(*big(says, "band-good" if acted else "band-warn", page.width))
    page.blank()
    page.fact("  ended", f"{clock(known.ended_at)}Z by {known.ended_by}")
    if known.target:
        page.fact("  by", known.target)
    if known.note:
        page.fact("  note", known.note)
    if leaf is not None and acted:
        page.blank()
        page.facts("  do", (f"{number}. {text}" for number, text in enumerate(leaf.do, 1)))
        page.facts("  verified", leaf.verify)


def _answered(number: int, answer: Answer, question: Question, page: Writer) -> None:
    word, tone = ANSWERS[answer.yes]
    asked = line((f"Q{number}  ", "dim"), question.ask)
    told = line((f"{word} ", tone), (f"{clock(answer.at)}Z {answer.actor}", "dim"))
    if width_of(asked) + width_of(told) < page.width:
        page.add(spread(asked, told, page.width))
    else:
        page.text(line((f"Q{number}  ", "dim")), question.ask)
        page.add(line("    ", told))
    if answer.note:
        page.text(line("    "), f"“{answer.note}”", "dim")


def big(text: str, tone: str, width: int) -> list[Line]:
    """The one thing that there is to say now, over the whole width."""
    return [band(told, tone, width) for told in ("", *textwrap.wrap(text, width - 8), "")]


def _question(moment: Moment, number: int, question: Question, tree: Tree, page: Writer) -> None:
    page.add(*big(f"Q{number}  {question.ask}", "band-calm", page.width))
    page.blank()
    page.fact("  why", question.why)
    page.blank()
    for key, target, (word, tone) in (("y", question.yes, ANSWERS[True]), ("n", question.no, ANSWERS[False])):
        looks = "off" if moment.read_only else "band-calm"
        lead = line("  ", (f" {key} ", looks), (f" {word:<4}", tone), ("→ ", "dim"))
        leaf = tree.leaves.get(target)
        if leaf is not None:
            page.text(line(lead, chip(leaf), " "), leaf.says)
        else:
            page.text(lead, tree.questions[target].ask)


def _leaf(moment: Moment, leaf: Leaf, book: Handbook, asked: bool, page: Writer) -> None:
    page.add(*big(f"{leaf.kind.upper()}  {leaf.says}", LEAVES[leaf.kind], page.width))
    page.blank()
    _acts(moment, leaf, asked, page)
    page.blank()
    page.facts("  do", (f"{number}. {text}" for number, text in enumerate(leaf.do, 1)))
    if leaf.why:
        page.fact("  why", leaf.why)
    page.facts("  verified", leaf.verify)
    if leaf.see:
        page.blank()
        page.links(leaf.see, book)


def _acts(moment: Moment, leaf: Leaf, asked: bool, page: Writer) -> None:
    """What the leaf will do, and the key that does it."""
    match leaf:
        case KillSwitch(level=level):
            page.fact("  will do", f"{level} {level.says} on the whole desk, unless you choose less", "bad")
            key, says = "K", f"opens the cord; nothing is pulled before you press {level.rank} there"
        case Throttle():
            page.fact("  will do", throttled(moment, leaf), "warn")
            key, says = ("y", "lowers the gate now; Esc leaves it") if asked else ("l", "lowers the gate, after one y")
        case Resume():
            page.fact("  will do", f"asks the resume guard for {leaf.size} %; it proves everything anew", "good")
            key, says = "u", "opens the way back"
        case _:
            page.fact("  will do", "changes no gate; a task stays open until somebody closes it")
            key, says = "d", "keeps it as an open task"
    if moment.read_only:
        page.text(line("  ", (f" {key} ", "off"), " "), "not here: this console is READ-ONLY", "off")
    else:
        page.text(line("  ", (f" {key} ", "band-bad" if key in ("K", "y") else "band-calm"), " "), says, "title")
    if isinstance(leaf, KillSwitch):
        page.add(*reach(moment, leaf.level, page.width))


def reach(moment: Moment, level: Level, width: int) -> list[Line]:
    """The blast radius of a pull of the whole desk at this level, as the cord's overlay tells it."""
    reached = blast(moment.state, Scope("desk"))
    told = cord.table(moment, reached, width - 2, shares=False)
    if level.cancels:
        told += cord.cautions(moment, reached, width - 2)
    return (
        [cut(line("  ", each), width) for each in told]
        if reached.venues
        else [line(("  no venue is known yet", "unknown"))]
    )


def throttled(moment: Moment, leaf: Throttle) -> str:
    """What the gate will let through, beside what it lets through now."""
    rate = f", orders to {leaf.rate} % of their rate" if leaf.rate else ""
    now = moment.state.size
    said = f"lowers the gate of the whole desk to {leaf.size} % of the normal size{rate}; now {share(now)}"
    return f"{said}: it is as low already" if now * 100 <= leaf.size else said
