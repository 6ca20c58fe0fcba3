"""The feed: what the console knows, and what it costs the event loop."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from console import feed as module
from console.desk import events as ev
from console.desk.reconcile import compare
from console.desk.source import Attached, Update
from console.desk.state import DeskState, fold_all
from console.feed import COMPARED_AT_ONCE, Feed
from tests.support import scenario


def long_book(orders: int) -> DeskState:
    story = scenario.calm()
    listed = tuple(scenario.order(f"o{n}", f"momentum-{n:06}", "AAPL", "buy", 1) for n in range(orders))
    return state_of(story.at(-0.1, ev.OrdersRead("sim1", listed, scenario.NOW)))


def state_of(story: scenario.Story) -> DeskState:
    return fold_all(story.records)


def attached(state: DeskState) -> Feed:
    feed = Feed(scenario.FakeSource(()), lambda: scenario.NOW, read_only=False)
    feed.take(Attached(state))
    return feed


def test_a_short_book_is_compared_at_once() -> None:
    feed = attached(state_of(scenario.calm()))
    assert feed.comparison == compare(feed.moment)


def test_a_long_book_does_not_wait_for_its_comparison_on_the_event_loop() -> None:
    async def look() -> None:
        feed = attached(long_book(COMPARED_AT_ONCE + 1))
        assert feed.comparison.venues == ()
        while not (compared := feed.comparison).venues:
            await asyncio.sleep(0)
        assert compared == compare(feed.moment)

    asyncio.run(look())


def test_what_was_compared_of_a_state_that_is_gone_is_forgotten() -> None:
    async def look() -> None:
        feed = attached(long_book(COMPARED_AT_ONCE + 1))
        assert feed.comparison.venues == ()
        feed.take(Attached(state_of(scenario.calm())))
        assert feed.comparison == compare(feed.moment)

    asyncio.run(look())


def test_a_source_that_fails_is_said_and_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    class FailsOnce(scenario.FakeSource):
        failed = False

        async def updates(self) -> AsyncIterator[Update]:
            if not self.failed:
                self.failed = True
                raise ValueError("a bug")
            yield Attached(state_of(scenario.calm()))

    async def look() -> None:
        feed = Feed(FailsOnce(()), lambda: scenario.NOW, read_only=False)
        following = asyncio.create_task(feed.follow())
        await asyncio.sleep(0)
        assert "the console’s own client failed: ValueError('a bug')" in feed.moment.cut
        monkeypatch.setattr(module, "AGAIN_SECONDS", 0)
        await following
        assert feed.moment.state.name == "demo"
        assert not feed.moment.cut

    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    asyncio.run(look())
