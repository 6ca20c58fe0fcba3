"""`andon tree walk`: a tree walked question by question, or by answers that are given at once."""

import argparse
import shlex
import sys
from collections.abc import Sequence

from console.commands.kept import Kept
from console.commands.leaf import Acted, act, command_of, scope_of
from console.commands.output import print_json
from console.commands.past import walk_facts
from console.commands.runbooks import all_of, library_of, named
from console.config import ConfigError, find, glance
from console.desk import entries as en
from console.desk.logbook import WalkState, new_id
from console.desk.tree import Tree, Walk
from console.desk.words import stamp
from console.runbooks.kinds import TREE
from console.runbooks.page import leaf_lines, question_lines, walk_page
from console.session import Session

FAILED = 1
ANSWERS = {"yes": True, "y": True, "no": False, "n": False}
KEYS = "y yes   n no   b back   q leave   (words behind y and n are kept as a note)"
LEAF_KEYS = "a do it   b back   q leave"


def walk_tree(options: argparse.Namespace) -> int:
    """Walk; returns 0, or what the leaf's action came to. Raises ConfigError."""
    file = find(options.desk)
    answers = _answers(options.answers)
    with Session(glance(file).state) as session:
        kept = Kept(session)
        going = None if answers is not None or options.new else kept.logbook.unfinished_walk(options.id)
        at_leaf = going is not None and going.walk.leaf is not None
        asks = answers is None and not options.abort and not (options.act and at_leaf)
        if asks and not sys.stdin.isatty():
            raise ConfigError("the questions are asked on a terminal; without one say --answers yes,no,…")
        walker = _Walker(kept, _going_on(going) if going else _begun(kept, options))
        try:
            if options.abort:
                walker.write(en.WalkAborted(walker.id, options.abort))
            elif asks:
                walker.ask()
            else:
                walker.answer(answers or [], options.note)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        if not options.json and not asks:
            print("\n".join(walk_page(walker.state)))
        acts = (options.act or walker.wants_act) and walker.walk.leaf is not None and not walker.state.ended
        return _tell(options, walker, act(options, session, kept, walker.state) if acts else None)


def _going_on(going: WalkState) -> WalkState:
    began = f"{going.actor} began {stamp(going.at)} with version {going.walk.version}"
    print(f"andon: going on with {going.id}, which {began}; --new begins anew", file=sys.stderr)
    return going


def _begun(kept: Kept, options: argparse.Namespace) -> WalkState:
    if options.abort:
        raise ConfigError(f"no walk through {options.id!r} is going on")
    tree: Tree = named(options.id, "tree", all_of(library_of(options.desk), TREE)).spec
    walk = new_id(tree.id)
    kept.write(en.WalkBegun(walk, tree))
    return kept.logbook.walks[walk]


def _answers(told: str | None) -> list[bool] | None:
    if told is None:
        return None
    words = [word.strip().lower() for word in told.split(",")]
    for word in words:
        if word not in ANSWERS:
            raise ConfigError(f"--answers {told}: {word!r} is no answer; yes or no is expected, with commas between")
    return [ANSWERS[word] for word in words]


class _Walker:
    """One walk at this terminal."""

    def __init__(self, kept: Kept, state: WalkState) -> None:
        self.id = state.id
        self.kept = kept
        self.wants_act = False

    @property
    def state(self) -> WalkState:
        return self.kept.logbook.walks[self.id]

    @property
    def walk(self) -> Walk:
        return self.state.walk

    def write(self, entry: en.AnyEntry) -> None:
        self.kept.write(entry)

    def answer(self, answers: Sequence[bool], note: str) -> None:
        """All answers, the note with the last of them. Raises ValueError before any is written where they are more than
        there are questions on the way."""
        rehearsed = self.walk
        for yes in answers:
            rehearsed = rehearsed.answer(yes)
        for number, yes in enumerate(answers, 1):
            told = note if number == len(answers) else ""
            self.write(en.WalkAnswered(self.id, self.walk.here, yes, told))

    def ask(self) -> None:
        """Question by question, until the user leaves or wants the leaf done."""
        tree, shown = self.walk.tree, ""
        print(f"{tree.title}\n{self.id} · version {self.walk.version}")
        while not (self.wants_act or self.state.ended):
            if self.walk.here != shown:
                shown = self.walk.here
                print("\n" + "\n".join(_here(self.walk)))
                print(f"\n  {KEYS if self.walk.leaf is None else LEAF_KEYS}")
            try:
                told = input("> ").strip()
            except EOFError:
                return
            word, _, rest = told.partition(" ")
            if word.lower() == "q":
                return
            try:
                self._obey(word.lower(), rest.strip())
            except ValueError as error:
                print(f"andon: {error}", file=sys.stderr)

    def _obey(self, word: str, note: str) -> None:
        if word == "b":
            if not self.walk.answers:
                raise ValueError("this is the first question; there is nothing to take back")
            self.write(en.WalkTakenBack(self.id, self.walk.answers[-1].question))
        elif self.walk.leaf is not None and word == "a":
            self.wants_act = True
        elif self.walk.leaf is None and word in ANSWERS:
            self.write(en.WalkAnswered(self.id, self.walk.here, ANSWERS[word], note))
        else:
            raise ValueError(f"{word!r} is no answer here: {KEYS if self.walk.leaf is None else LEAF_KEYS}")


def _here(walk: Walk) -> list[str]:
    """The question that is to be answered, or the leaf that was reached."""
    if walk.question is not None:
        return list(question_lines(walk.here, walk.question, walk.tree))
    return list(leaf_lines(walk.here, walk.tree.leaves[walk.here]))


def _tell(options: argparse.Namespace, walker: _Walker, acted: Acted | None) -> int:
    state, walk = walker.state, walker.walk
    code = acted.code if acted else 0
    code = code or (0 if walker.kept.whole else FAILED)
    if options.json:
        told = {**walk_facts(state, scope_of(options)), "kept": walker.kept.whole}
        print_json({**told, "acted": acted and acted.said, "exit": code})
    elif acted is not None:
        print(acted.said)
    elif state.ended:
        print(f"{state.id} is {state.ended}")
    elif walk.leaf is not None:
        ways = [shlex.join(command_of(walk, scope_of(options))), f"andon tree walk {walk.tree.id} --act"]
        print("nothing was done yet; what does it, the last as part of this walk:")
        print("\n".join(f"  {way}" for way in dict.fromkeys(ways)))
    else:
        print(f"{state.id} waits at {walk.here}; go on with: andon tree walk {walk.tree.id}")
    return code
