"""Books brought to broker truth on a desk of real processes: after a flattening, under faults, and the way back."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from console.desk import events as ev
from console.desk.adjust import Outcome
from console.desk.pull import Verdict
from console.desk.source import Attached
from console.guard.client import GuardClient
from tests.support.bot import Bot
from tests.support.broker import ROOT, wait_until
from tests.support.cord import end_hands
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.timeout(300)
ANDON = (sys.executable, "-m", "console")
OWN_FIX = ("--cause", "own-fix", "--text", "a loop in the sizing", "--checked", "replayed on the simulated desk")
RESUME = ("resume", "--all", "--size", "25", *OWN_FIX, "--confirm", "test")


def andon(desk: DeskProcesses, *arguments: str) -> tuple[int, str]:
    command = [*ANDON, "--desk", str(desk.file), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def at_broker(desk: DeskProcesses, account: str) -> dict[str, Decimal]:
    rows = desk.broker.request("GET", "/v2/positions", account=account)[1]
    return {row["symbol"]: Decimal(row["qty"]) for row in rows}


def move(desk: DeskProcesses, qty: str, symbol: str = "AAPL") -> None:
    desk.broker.control("POST", "/positions", {"venue": "sim1", "symbol": symbol, "qty": qty})


def pull(desk: DeskProcesses, level: str) -> str:
    name: str = desk.http("POST", "/emergency/shutdown", {"reason": "test", "scope": "all", "level": level})[1]["pull"]
    wait_until(lambda: (known := desk.folded().pulls.get(name)) and known.verdict is Verdict.VERIFIED, "VERIFIED")
    return name


def asked(desk: DeskProcesses, *commands: tuple[str, dict[str, str]]) -> Outcome:
    """The last of the guard's answers; {digest} stands for what the answer before it showed."""

    async def ask() -> Outcome:
        client, outcome = GuardClient(desk.state_dir), Outcome(False, "")
        attached = asyncio.Event()

        async def follow() -> None:
            async for update in client.updates():
                if isinstance(update, Attached) and client.connected:
                    attached.set()

        following = asyncio.create_task(follow())
        await attached.wait()
        for command, arguments in commands:
            told = {name: value.format(digest=outcome.plan.digest) for name, value in arguments.items()}
            if command == "move":
                move(desk, told["qty"])
            else:
                outcome = msgspec.json.decode(await client.command(command, **told), type=Outcome)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        return outcome

    return asyncio.run(ask())


def test_frozen_strategies_are_flattened_adjusted_and_trade_on_from_the_true_book(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, quiet_seconds=1, broker_arguments=("--speed", "60")) as desk:
        strategies = desk.strategies
        assert strategies is not None
        wait_until(lambda: at_broker(desk, "sim1") and at_broker(desk, "sim2"), "positions at both venues")
        os.kill(strategies.pid, signal.SIGSTOP)
        try:
            pull(desk, "L4")
            assert (at_broker(desk, "sim1"), at_broker(desk, "sim2")) == ({}, {})
            code, said = andon(desk, "book", "adjust", "--yes")
            assert (code, "book of momentum" in said) == (5, True), "a side that can not be read is not adjusted"
        finally:
            os.kill(strategies.pid, signal.SIGCONT)
        wait_until(lambda: "UNREPORTED_FILL" in andon(desk, "book", "adjust")[1], "the books show what was closed")
        code, said = andon(desk, *RESUME)
        assert (code, "→ andon book adjust" in said) == (5, True)
        desk.broker.fault("error500", "sim1", path="/v2/account/activities")
        code, said = andon(desk, "book", "adjust", "--venue", "sim1", "--yes")
        assert (code, "sim1: fills" in said) == (5, True), "what explains it can not be read"
        desk.broker.clear()
        code, said = andon(desk, "book", "adjust", "--class", "UNREPORTED_FILL", "--yes")
        assert (code, "book and broker are equal" in said) == (0, True), said
        told = [row for event in desk.journaled(ev.BookAdjusting) for row in event.rows]
        assert all(row.broker == "0" and Decimal(row.book) for row in told)
        assert {event.outcome for event in desk.journaled(ev.BookAdjusted)} == {"acked"}
        made = [record for record in desk.records() if isinstance(record.event, ev.BookAdjusting)]
        assert {record.actor for record in made} != {"guard"}, "who had it done stands beside it"

        code, said = andon(desk, *RESUME)
        assert code == 0, said
        fills = len(desk.journaled(ev.Filled))
        wait_until(lambda: len(desk.journaled(ev.Filled)) >= fills + 4, "fills after the resume")
        pull(desk, "L3")
        wait_until(lambda: andon(desk, "book")[0] == 0, "what was traded from the adjusted books is the broker's truth")


@pytest.fixture
def bot() -> Iterator[Bot]:
    with Bot("bot") as bot:
        yield bot


@pytest.fixture
def desk(tmp_path: Path, bot: Bot) -> Iterator[DeskProcesses]:
    """Halted, VERIFIED, and the bot's book two shares short of its broker."""
    described = ("strategies:", "  - name: bot", "    venue: sim1", "    symbols: [AAPL]", f"    host: {bot.url}")
    with DeskProcesses(tmp_path, traded=False, quiet_seconds=1, described=described) as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        bot.positions = {"AAPL": "5"}
        move(desk, "7")
        pull(desk, "L3")
        yield desk
        end_hands(desk.state_dir)


def test_nothing_is_adjusted_that_moved_since_it_was_shown(desk: DeskProcesses, bot: Bot) -> None:
    adjust = ("adjust", {"venue": "", "kinds": "QTY_BREAK", "shown": "{digest}"})
    outcome = asked(desk, ("differences", {"venue": ""}), ("move", {"qty": "1"}), adjust)
    assert (outcome.adjusted, "look again" in outcome.said) == (False, True)
    assert outcome.plan.rows[0].adjustment.broker == "8", "what it is now is told"
    assert (bot.asked, desk.journaled(ev.BookAdjusting)) == ([], [])
    assert desk.wait_journaled(ev.Refused).what == "book adjust QTY_BREAK"
    code, said = andon(desk, "book", "adjust", "--class", "PHANTOM_FILL", "--yes")
    assert (code, "there are: QTY_BREAK" in said) == (2, True)
    assert andon(desk, "book", "adjust")[0] == 1, "nobody confirmed"
    assert bot.asked == []
    bot.adjusts = False
    code, said = andon(desk, "book", "adjust", "--yes")
    assert (code, "bot: its host takes no adjustment" in said) == (5, True)
    bot.positions = {"AAPL": "8"}
    assert andon(desk, "book", "adjust")[0] == 0, "put right in the bot, and noticed"


def test_an_answer_that_was_lost_is_asked_for_again_and_counts_once(desk: DeskProcesses, bot: Bot) -> None:
    bot.mood = "refuse"
    code, said = andon(desk, "book", "adjust", "--yes")
    assert (code, "bot refused it: 409" in said) == (1, True)
    bot.mood = "deaf"
    code, said = andon(desk, "book", "adjust", "--yes")
    assert (code, bot.positions) == (0, {"AAPL": "7"}), said
    assert [event.outcome for event in desk.journaled(ev.BookAdjusted)] == ["refused", "acked"]
    refused, *lost = bot.asked
    assert lost[0] == lost[1] != refused
    assert lost[0]["holds"] == {"AAPL": "5"}


def test_a_guard_killed_in_between_leaves_a_record_and_the_comparison_tells(desk: DeskProcesses, bot: Bot) -> None:
    bot.mood = "hang"
    command = [*ANDON, "--desk", str(desk.file), "book", "adjust", "--yes"]
    asking = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: bot.asked, "the bot is asked")
    assert desk.journaled(ev.BookAdjusting), "what is asked is on disk before"
    desk.stop_guard(signal.SIGKILL)
    assert asking.wait(60) == 1
    bot.mood = "done"
    desk.start_guard()
    assert andon(desk, *RESUME)[0] == 5
    assert andon(desk, "book", "adjust", "--yes")[0] == 0
    first, second = desk.folded().adjustments
    assert (first.answers, [answer.outcome for answer in second.answers.values()]) == ({}, ["acked"])
