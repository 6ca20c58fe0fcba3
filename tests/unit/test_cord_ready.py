"""What stands ready before a digit: the connection to the guard, and the byte that needs no parsing."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.cord.puller import Puller
from console.cord.request import parse
from console.desk.moment import STALE_AFTER
from console.desk.pull import Level, Scope
from console.desk.words import SECOND
from console.driver import PASTE_BEGINS, PASTE_ENDS, Stretch
from console.guard.pace import REAL

DESK = Scope("desk")


@contextlib.contextmanager
def guard(folder: Path) -> Iterator[socket.socket]:
    """A guard as far as its door: it lets in and says nothing."""
    path = folder / "cord.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(10)
        yield listening


@pytest.fixture
def puller(tmp_path: Path) -> Iterator[Puller]:
    puller = Puller(tmp_path)
    yield puller
    puller.stop()


def heard(connection: socket.socket) -> str:
    connection.settimeout(10)
    return parse(connection.recv(65536).strip()).id


def test_a_pull_comes_on_the_connection_that_stands(tmp_path: Path, puller: Puller) -> None:
    with guard(tmp_path) as listening:
        puller.ready()
        puller.ready()
        standing, _ = listening.accept()
        assert puller.pull(Level.L3, DESK, origin="console") == heard(standing)
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):  # one connection was enough
            listening.accept()
        standing.close()


def test_the_connection_of_a_guard_that_ended_is_not_trusted(tmp_path: Path, puller: Puller) -> None:
    with guard(tmp_path) as listening:
        puller.ready()
        listening.accept()[0].close()
    with guard(tmp_path) as listening:
        pull = puller.pull(Level.L3, DESK, origin="console")
        fresh, _ = listening.accept()
        assert heard(fresh) == pull
        fresh.close()


def test_a_second_pull_does_not_use_the_connection_of_the_first(tmp_path: Path, puller: Puller) -> None:
    with guard(tmp_path) as listening:
        puller.ready()
        first = puller.pull(Level.L3, DESK, origin="console")
        second = puller.pull(Level.L4, DESK, origin="console")
        one, other = listening.accept()[0], listening.accept()[0]
        assert [heard(one), heard(other)] == [first, second]
        one.close()
        other.close()


@pytest.mark.parametrize(
    ("reads", "alone"),
    [
        ([(0.0, b"3")], True),
        ([(0.0, b"K"), (0.31, b"3")], True),
        ([(0.0, b"K"), (0.29, b"3")], False),
        ([(0.0, b"33")], False),
        ([(0.0, b"\x1b["), (0.1, b"3")], False),
        ([(0.0, PASTE_BEGINS), (9.0, b"3")], False),
        ([(0.0, PASTE_BEGINS[:2]), (0.1, PASTE_BEGINS[2:] + b"x"), (9.0, b"3")], False),
        ([(0.0, PASTE_BEGINS + b"3"), (1.0, PASTE_ENDS), (9.0, b"3")], True),
    ],
)
def test_a_byte_stands_for_a_key_after_silence_and_outside_a_paste(
    reads: list[tuple[float, bytes]], alone: bool
) -> None:
    stretch = Stretch()
    told = [stretch.alone(read, 100 + at) for at, read in reads]
    assert told[-1] is alone


def test_a_heartbeat_is_read_again_before_it_is_stale() -> None:
    assert (REAL.heartbeat + 1) * SECOND < STALE_AFTER
