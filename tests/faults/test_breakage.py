"""What once broke the cord, each as small as can be: venues that a test plays, hands that were killed, odd input."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from console.cord.http import Wire
from console.cord.latch import standing
from console.cord.lock import CordLock
from console.cord.plan import write_plan
from console.cord.request import PullRequest
from console.cord.thread import MOST_LISTENERS, CordThread
from console.cord.where import state_folder
from console.cord.worker import SINGLE_CANCELS
from console.desk.events import Event, GateChanged, GuardStopped, Pulled, SessionChanged, VenueVerdict
from console.desk.pull import GateState
from console.desk.source import Detached
from console.evidence.journal import JournalWriter, Tail
from console.guard.client import GuardClient
from console.guard.recovery import recover
from console.processes import listens
from console.simulated import SimulatedDesk, only_one
from tests.support.broker import ROOT, wait_until
from tests.support.cord import kill
from tests.support.desk import DeskProcesses
from tests.support.scripted_venue import Answer, ScriptedHand, ScriptedVenue, order


@pytest.fixture
def venue() -> Iterator[ScriptedVenue]:
    with ScriptedVenue() as playing:
        yield playing


@pytest.fixture
def hand(tmp_path: Path, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedHand]:
    monkeypatch.setattr("console.cord.worker.WATCH_EVERY", 0.5)
    with ScriptedHand(tmp_path, venue) as running:
        yield running


def closes(venue: ScriptedVenue) -> int:
    return len(venue.times("DELETE", "/v2/positions"))


def looks(venue: ScriptedVenue) -> int:
    return len(venue.times("GET", "/v2/orders?status=open"))


# --- closes ----------------------------------------------------------------------------------------------------------


def test_an_expired_flatten_does_not_stand_in_the_way_of_the_next(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.positions["AAPL"] = "7"
    old = hand.adopt("L4", age=700)
    wait_until(lambda: "expired" in hand.verdict.get(old, {}).get("why", ""), "closes of ten minutes ago ask")
    assert closes(venue) == 0
    new = hand.pull("L4")
    wait_until(lambda: hand.says(new) == "VERIFIED", "pulled again, as it asked")
    assert venue.positions == {}


def test_an_inherited_close_that_still_works_is_not_sent_again(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.positions["AAPL"] = "7"
    venue.rest(order("c1", side="sell", qty="7", client="0c0ffee"))
    pull = hand.adopt("L4", sent={"AAPL": "7"}, own={"c1"})
    wait_until(lambda: looks(venue) > 3 and hand.says(pull) == "PARTIAL", "it is watched")
    time.sleep(3.5)  # past the time after which a close that never arrived is sent again
    assert (closes(venue), list(venue.open)) == (0, ["c1"])
    del venue.open["c1"], venue.positions["AAPL"]
    wait_until(lambda: hand.says(pull) == "VERIFIED", "it filled")


def test_a_close_that_outlived_its_position_is_cancelled(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    def resting(symbol: str) -> dict[str, str]:
        made = venue.closed_by(symbol, venue.positions[symbol])
        venue.open[made["id"]] = made
        return made

    venue.closing = resting
    venue.positions["AAPL"] = "7"
    pull = hand.pull("L4")
    wait_until(lambda: closes(venue) == 1, "the close rests")
    del venue.positions["AAPL"]  # somebody else closed it: ours would now sell short
    wait_until(lambda: hand.says(pull) == "VERIFIED", "nothing works any more")
    assert venue.open == {}


def test_no_close_waits_for_the_answer_to_another(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    together = threading.Barrier(3, timeout=20)

    def all_are_there(method: str, path: str) -> Answer | None:
        if method == "DELETE" and path.startswith("/v2/positions/"):
            together.wait()
        return None

    venue.answer = all_are_there
    venue.positions |= {"AAPL": "7", "MSFT": "-3", "NVDA": "0.5"}
    pull = hand.pull("L4")
    wait_until(lambda: hand.says(pull) == "VERIFIED", "flat")
    assert closes(venue) == 3


def test_a_second_pull_does_not_take_the_close_of_the_first_along(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    def resting(symbol: str) -> dict[str, str]:
        made = venue.closed_by(symbol, venue.positions[symbol])
        venue.open[made["id"]] = made
        return made

    venue.closing = resting
    venue.positions["AAPL"] = "7"
    pulls = [hand.pull("L4")]
    wait_until(lambda: closes(venue) == 1, "the close works")
    [close] = venue.open
    pulls += [hand.pull("L4"), hand.pull("L3")]
    wait_until(lambda: all(hand.says(pull) for pull in pulls), "both are at work")
    venue.rest(order("late"))
    wait_until(lambda: "late" not in venue.open, "what is not ours goes all the same")
    assert list(venue.open) == [close]
    del venue.open[close], venue.positions["AAPL"]
    wait_until(lambda: all(hand.says(pull) == "VERIFIED" for pull in pulls), "all three are proven")
    assert closes(venue) == 1


def test_closes_rejected_behind_the_answer_are_not_fired_off_one_after_the_other(
    venue: ScriptedVenue, hand: ScriptedHand
) -> None:
    venue.closing = lambda symbol: venue.closed_by(symbol, venue.positions[symbol])
    venue.positions["AAPL"] = "7"
    pull = hand.pull("L4")
    wait_until(lambda: "closed nothing" in hand.verdict.get(pull, {}).get("why", ""), "it says so")
    assert closes(venue) == 1


def test_the_order_of_a_crypto_position_is_recognised_by_either_name(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.positions["BTCUSD"] = "0.5"
    venue.rest(order("o1", symbol="BTC/USD"))
    venue.stuck.add("o1")
    pull = hand.pull("L4")
    wait_until(lambda: hand.says(pull) == "PARTIAL", "the order stands")
    assert closes(venue) == 0, "no close while an order in its symbol works"
    venue.stuck.clear()
    wait_until(lambda: hand.says(pull) == "VERIFIED", "closed behind it")


def test_a_suspension_that_a_killed_hand_had_lifted_is_put_back(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    pull = hand.adopt("L4", lifted=True)
    wait_until(lambda: venue.suspended and hand.says(pull) == "VERIFIED", "suspended again")


def test_a_suspension_that_somebody_took_away_is_put_back_at_the_next_order(
    venue: ScriptedVenue, hand: ScriptedHand
) -> None:
    hand.pull()
    for name in ("o1", "o2"):
        wait_until(lambda: hand.told[-1][1].get("verdict") == "VERIFIED", "quiet")
        venue.suspended = False
        venue.rest(order(name))
        wait_until(lambda: venue.suspended, f"suspended at {name}")


# --- how often -------------------------------------------------------------------------------------------------------


def test_a_second_pull_does_not_look_faster_than_the_first(tmp_path: Path, venue: ScriptedVenue) -> None:
    with ScriptedHand(tmp_path, venue, quiet=2.0) as hand:
        first = hand.pull()
        wait_until(lambda: hand.says(first) == "VERIFIED", "the first")
        before = looks(venue)
        second = hand.pull()
        wait_until(lambda: hand.says(second) == "VERIFIED", "the second")
        assert looks(venue) - before < 30, "about a dozen looks over a quiet interval"


def test_a_venue_that_went_away_after_the_proof_is_asked_slowly(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    pull = hand.pull()
    wait_until(lambda: hand.says(pull) == "VERIFIED", "proven")
    venue.answer = lambda method, path: (500, {})
    wait_until(lambda: hand.says(pull) == "UNKNOWN", "not known any more")
    before = looks(venue)
    time.sleep(1.5)
    assert looks(venue) - before < 10


def test_a_venue_that_asks_to_wait_is_left_alone_until_then(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.rest(*(order(f"o{number}") for number in range(3)))
    limited: list[float] = []

    def once(method: str, path: str) -> Answer | None:
        if method == "DELETE" and not limited:
            limited.append(time.monotonic())
            return 429, {"message": "too many requests"}, {"Retry-After": "2"}
        return None

    venue.answer = once
    pull = hand.pull()
    wait_until(lambda: hand.says(pull) == "UNKNOWN", "429 proves nothing")
    wait_until(lambda: hand.says(pull) == "VERIFIED", "cancelled in the end")
    assert all(at >= limited[0] + 1.9 for at, *_ in venue.asked if at > limited[0] + 0.05)


def test_a_venue_can_not_ask_to_be_left_alone_for_ever(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.answer = lambda method, path: (429, {}, {"Retry-After": "9" * 30})
    pull = hand.pull()
    wait_until(lambda: hand.says(pull) == "UNKNOWN", "it says nothing")
    (worker,) = hand.executor._workers.values()
    assert worker.is_alive()
    assert worker._wait() <= 60


def test_a_venue_that_fails_now_so_and_now_so_does_not_fill_the_journal(
    venue: ScriptedVenue, hand: ScriptedHand
) -> None:
    venue.answer = lambda method, path: (500 + len(venue.asked) % 3, {})
    pull = hand.pull()
    wait_until(lambda: len(venue.times("DELETE", "/v2/orders")) >= 9, "asked again and again")
    verdicts = [data["why"] for kind, data in hand.told if kind == "venue_verdict"]
    assert len(verdicts) <= 2
    venue.answer = lambda method, path: (503, {})
    wait_until(lambda: "503" in hand.verdict[pull]["why"], "a reason that stays is told")


def test_what_is_asked_again_and_again_is_told_seldom(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.answer = lambda method, path: (500, {})
    hand.pull()
    wait_until(lambda: len(venue.times("DELETE", "/v2/orders")) >= 8, "asked again and again")
    attempts = [data["attempt"] for kind, data in hand.told if kind == "cord_sent"]
    assert attempts == [1, 2, 4, 8]
    venue.answer = lambda method, path: (502, {}) if method == "DELETE" else (500, {})
    wait_until(lambda: any(data.get("status") == 502 for _, data in hand.told), "another outcome is told at once")
    told = [data["attempt"] for kind, data in hand.told if kind == "cord_sent"]
    assert len(told) <= len(attempts) + 2


def test_an_order_whose_cancel_is_never_answered_does_not_keep_the_venue_from_being_looked_at(
    venue: ScriptedVenue, hand: ScriptedHand
) -> None:
    venue.rest(*(order(f"o{number}") for number in range(8)))
    silent = threading.Event()

    def hang(method: str, path: str) -> Answer | None:
        if method == "DELETE":
            silent.wait(30)
        return None

    venue.answer = hang
    pull = hand.pull(scope="symbol:AAPL")
    wait_until(lambda: hand.says(pull) == "PARTIAL", "what stands is said")
    asked = len(venue.times("DELETE", "/v2/orders"))
    silent.set()
    assert asked < 8, "before each of them had its turn"
    wait_until(lambda: hand.says(pull) == "VERIFIED", "cancelled in the end")


def test_false_is_no_quantity_and_one_symbol_is_listed_once(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    held: list[dict[str, object]] = [{"symbol": "AAPL", "qty": False}]
    venue.answer = lambda method, path: (200, held) if path == "/v2/positions" else None
    pull = hand.pull("L4")
    wait_until(lambda: "can not be read" in hand.verdict.get(pull, {}).get("why", ""), "no position is hidden")
    held[:] = [{"symbol": "AAPL", "qty": "7"}, {"symbol": "AAPL", "qty": "0"}]
    wait_until(lambda: "listed twice" in hand.verdict[pull]["why"], "nor behind another row")
    assert closes(venue) == 0


def test_an_answer_that_breaks_the_reader_does_not_end_the_watch(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.rest(order("o1"))
    venue.answer = lambda method, path: (200, b"[" * 100_000)
    pull = hand.pull()
    wait_until(lambda: hand.says(pull) == "UNKNOWN", "nothing can be read")
    venue.answer = lambda method, path: None
    wait_until(lambda: hand.says(pull) == "VERIFIED", "read again")


def test_orders_that_can_not_be_cancelled_do_not_starve_the_others(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.rest(order("victim"), *(order(f"stuck{number}") for number in range(SINGLE_CANCELS)))
    venue.stuck.update(name for name in venue.open if name != "victim")
    hand.pull(scope="symbol:AAPL")
    wait_until(lambda: "victim" not in venue.open, "its turn came")


def test_a_replaced_key_file_is_read_again(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.rest(order("o1"))
    hand.set_keys("second")
    venue.answer = lambda method, path: None if venue.asked[-1][3] == "second" else (401, {"message": "who?"})
    pull = hand.pull()
    wait_until(lambda: hand.says(pull) == "VERIFIED", "with the new key")


# --- the quiet interval ----------------------------------------------------------------------------------------------


def test_what_came_and_went_while_the_first_look_was_taken_is_not_called_quiet(
    tmp_path: Path, venue: ScriptedVenue
) -> None:
    """A slow venue: an order that is placed and filled while the first look runs is in no list as new."""
    with ScriptedHand(tmp_path, venue, quiet=1.5) as hand:
        placed: list[float] = []

        def slowly(method: str, path: str) -> Answer | None:
            if "status=all" in path and not placed:
                time.sleep(0.8)
                placed.append(time.monotonic())
                venue.orders.insert(0, order("quick"))
            return None

        venue.answer = slowly
        pull = hand.pull()
        wait_until(lambda: hand.says(pull) == "VERIFIED", "quiet")
        assert time.monotonic() - placed[0] >= 1.5


def test_a_late_fill_of_a_strategys_order_restarts_its_quiet(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.rest(order("o1"))
    pull = hand.pull(scope="strategy:momentum")
    wait_until(lambda: hand.says(pull) == "VERIFIED", "quiet at first")
    venue.fills.insert(0, {"id": "f1", "order_id": "o1", "symbol": "AAPL"})
    wait_until(lambda: any("late fill" in data.get("why", "") for _, data in hand.told), "the fill was seen")


# --- connections -----------------------------------------------------------------------------------------------------


def test_a_warm_tls_connection_counts_as_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS 1.3 server sends session tickets unasked; they are no end of the connection."""
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -days 2"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost",
        shell=True,
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    served: list[ssl.SSLSocket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(
            target=lambda: served.append(context.wrap_socket(listening.accept()[0], server_side=True)), daemon=True
        ).start()
        wire = Wire("localhost", listening.getsockname()[1], tls=True, deadline=time.monotonic() + 10)
        wait_until(lambda: served, "the handshake")
        time.sleep(0.1)
        assert wire.alive()
        served[0].close()
        wait_until(lambda: not wire.alive(), "the end is seen")
        wire.close()


# --- two hands -------------------------------------------------------------------------------------------------------


def test_nothing_is_closed_on_what_was_read_before_the_lock_was_had(
    tmp_path: Path, venue: ScriptedVenue, hand: ScriptedHand
) -> None:
    other = CordLock(str(tmp_path))
    assert other.acquire() == ""
    venue.positions["AAPL"] = "7"

    def let_go(method: str, path: str) -> Answer | None:
        """The other hand is done just behind our read."""
        if path == "/v2/positions" and looks(venue) > 2 and other.held:
            venue.positions.clear()
            other.release()
            return 200, [{"symbol": "AAPL", "qty": "7"}]
        return None

    venue.answer = let_go
    pull = hand.pull("L4")
    wait_until(lambda: hand.says(pull) == "VERIFIED", "flat by the other hand")
    assert closes(venue) == 0


def test_a_hand_that_waits_for_another_leaves_its_closes_alone(
    tmp_path: Path, venue: ScriptedVenue, hand: ScriptedHand
) -> None:
    """Outside the session a close rests for hours: cancelled by the second hand it would never fill."""

    def resting(symbol: str) -> dict[str, str]:
        made = venue.closed_by(symbol, venue.positions[symbol])
        venue.open[made["id"]] = made
        return made

    venue.closing = resting
    venue.positions["AAPL"] = "7"
    first = hand.pull("L4")
    wait_until(lambda: closes(venue) == 1, "the close rests")
    with ScriptedHand(tmp_path, venue, hand="direct") as other:
        second = other.pull("L4")
        wait_until(lambda: "another hand" in other.verdict.get(second, {}).get("why", ""), "it waits for the first")
        wait_until(lambda: venue.open, "closed again, where its first look had come before it knew of the first hand")
        resting_one, seen = set(venue.open), looks(venue)
        wait_until(lambda: looks(venue) > seen + 8, "both look, again and again")
        assert set(venue.open) == resting_one
        assert not venue.suspended
        venue.open.clear()
        venue.positions.clear()
        wait_until(lambda: hand.says(first) == other.says(second) == "VERIFIED", "it filled")


LOCK_ON_A_BAD_DISK = """
import subprocess, sys
from console.cord.lock import CordLock
folder, how = sys.argv[1:]
lock, late = CordLock(folder), CordLock(folder)
lock.prepare()
if how == "full":
    try:
        with open(folder + "/filler", "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError:
        pass
else:
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
print([lock.acquire(), lock.beat(), late.acquire() != "", lock.release(), late.acquire()])
"""


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_the_lock_for_closes_can_be_had_on_a_disk_that_takes_nothing(tmp_path: Path, how: str) -> None:
    mount = f'mount -t tmpfs -o size=64k tmpfs {tmp_path} && exec "$0" "$@"'
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*own, "sh", "-c", mount, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespace can be had here")
    command = [*own, "sh", "-c", mount, sys.executable, "-c", LOCK_ON_A_BAD_DISK, str(tmp_path), how]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "['', None, True, None, '']", done.stderr


# --- odd input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b'{"v":1,"pull":{"level":"L3","scope":"desk","made":Infinity,"deadline":1}}\n',
        b'{"v":1,"pull":{"level":"L3","scope":"desk","made":1,"deadline":-1' + b"0" * 40 + b"}}\n",
        b"[" * 60_000 + b"\n",
        b"x" * 100_000,
    ],
)
def test_no_line_on_its_socket_makes_the_cord_deaf(tmp_path: Path, venue: ScriptedVenue, said: bytes) -> None:
    plan = ScriptedHand(tmp_path, venue).executor.plan
    cord = CordThread(plan, lambda kind, data, actor: None)
    cord.start()
    try:
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(tmp_path / "cord.sock"))
            rude.sendall(said + b"nonsense\n" + PullRequest(level="L3", scope="desk").line())
        with socket.socket(socket.AF_UNIX) as polite:
            polite.settimeout(20)
            polite.connect(str(tmp_path / "cord.sock"))
            request = PullRequest(level="L3", scope="desk", reason="\ud800", deadline=1 << 62)
            polite.sendall(request.line())
            assert json.loads(polite.makefile("rb").readline()) == {"v": 1, "heard": request.id}
        wait_until(lambda: any(entry["id"] == request.id for entry in standing(str(tmp_path)) or []), "the latch")
    finally:
        cord.stop()


def test_idle_connections_keep_no_pull_out(tmp_path: Path, venue: ScriptedVenue) -> None:
    """A script that leaks its connections, or means harm: the oldest that say nothing are sent away."""
    cord = CordThread(ScriptedHand(tmp_path, venue).executor.plan, lambda kind, data, actor: None)
    cord.start()
    idle: list[socket.socket] = []

    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(tmp_path / "cord.sock"))  # without a time limit it waits for its turn
        connection.settimeout(20)
        return connection

    def pull() -> socket.socket:
        connection = connect()
        connection.sendall(PullRequest(level="L3", scope="desk", deadline=1 << 62).line())
        wait_until(lambda: b"heard" in connection.recv(4096), "the pull is heard")
        return connection

    try:
        first = pull()
        idle += [connect() for _ in range(2 * MOST_LISTENERS)]
        pull().close()
        wait_until(lambda: not idle[0].recv(4096), "the oldest idle one was sent away")
        first.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while told := first.recv(65536):
                assert told
            pytest.fail("who listens to a pull was sent away before those who say nothing")
    finally:
        cord.stop()
        for connection in idle:
            connection.close()


def test_a_reason_of_any_bytes_is_carried_to_the_end(tmp_path: Path, venue: ScriptedVenue) -> None:
    write_plan(str(tmp_path), ScriptedHand(tmp_path, venue).executor.plan.told)
    code, told, said = kill(tmp_path, "--all", "--reason", "caf\udce9")
    assert (code, told["verdict"]) == (0, "VERIFIED"), said


def test_a_scope_without_names_is_wrong_usage_and_not_a_wait(tmp_path: Path, venue: ScriptedVenue) -> None:
    write_plan(str(tmp_path), ScriptedHand(tmp_path, venue).executor.plan.told)
    code, _, said = kill(tmp_path, "--venue", ",")
    assert code == 2
    assert "needs a name" in said
    assert "Traceback" not in said


def test_whatever_listens_in_the_guards_place_the_other_hand_pulls(tmp_path: Path, venue: ScriptedVenue) -> None:
    write_plan(str(tmp_path), ScriptedHand(tmp_path, venue).executor.plan.told)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "cord.sock"))
        listening.listen()
        threading.Thread(target=lambda: listening.accept()[0].sendall(b"220 ready\n"), daemon=True).start()
        code, told, said = kill(tmp_path, "--all")
    assert (code, told["hand"]) == (0, "direct"), said


def test_a_desk_that_can_not_be_looked_into_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `andon kill --all` of an operator without rights would stop the demo, and call that VERIFIED."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("ANDON_DESK", raising=False)
    monkeypatch.setattr("console.cord.where.SYSTEM_STATE", str(tmp_path / "var"))
    (tmp_path / "andon" / "demo").mkdir(parents=True)
    (tmp_path / "andon" / "demo" / "cord.json").write_text('{"mode": "simulated"}')
    (tmp_path / "var" / "real").mkdir(parents=True)
    (tmp_path / "var" / "real" / "cord.json").symlink_to("cord.json")  # a loop: root, too, can not look
    assert state_folder("") == str(tmp_path / "var" / "real")


# --- damaged files ---------------------------------------------------------------------------------------------------


def test_a_journal_that_can_not_be_read_hides_no_other(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    (tmp_path / "direct-b.jsonl").mkdir()
    for writer in ("direct-a", "direct-c"):
        journal = JournalWriter(tmp_path, writer)
        journal.append(GuardStopped(why=writer), "ana").result(30)
        journal.close()
    assert [record.writer for record in tail.poll()] == ["direct-a", "direct-c"]
    assert list(tail.unread) == ["direct-b"]


async def test_a_console_without_a_guard_says_what_of_the_journal_it_can_not_read(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "journal", "guard")
    for why in ("one", "two"):
        journal.append(GuardStopped(why=why), "ana").result(30)
    journal.close()
    journal.path.write_bytes(journal.path.read_bytes().replace(b"two", b"too"))
    async for update in GuardClient(tmp_path).updates():
        if isinstance(update, Detached):
            assert "guard.jsonl is damaged at line 2" in update.why
            break


def test_a_guard_whose_journal_is_damaged_starts_halted(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, traded=False) as desk:
        desk.wait_journaled(SessionChanged)
        desk.stop_guard(signal.SIGKILL)
        journal = desk.state_dir / "journal" / "guard.jsonl"
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join([lines[0], lines[1].replace(b'"', b"'", 1), *lines[2:]]))
        (desk.state_dir / "cord.latch").write_text('{"level": "L1", "scope": 5}\n')
        desk.start_guard()
        wait_until(lambda: desk.http("GET", "/gate")[1]["state"] == "HALTED", "HALTED")
        gate = desk.state_dir / "gate.json"
        written = gate.stat().st_mtime_ns
        wait_until(lambda: gate.stat().st_mtime_ns > written, "a latch that makes no sense does not end the renewing")
        (desk.state_dir / "cord.latch").unlink()
        assert desk.http("GET", "/gate")[1]["state"] == "HALTED", "what the gate was is not known"
        assert "guard.jsonl:2" in desk.guard_log


def test_a_pull_behind_the_damage_is_found_and_a_halt_that_was_resumed_does_not_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "journal"

    def write(*events: Event) -> None:
        journal = JournalWriter(folder, "guard")
        for event in events:
            journal.append(event, "ana").result(30)
        journal.close()

    pulled = Pulled("p1", "L3", "desk", "", "cli", "guard", ("sim1",))
    write(GuardStopped("one"), GuardStopped("two"), pulled)
    path = folder / "guard.jsonl"
    path.write_bytes(path.read_bytes().replace(b"two", b"too"))
    found = recover(folder)
    assert list(found.state.pulls) == ["p1"]
    halt = found.halt("guard")
    assert "guard.jsonl:2" in halt
    write(GateChanged(GateState.HALTED, Decimal(0), halt, {}, halt))
    assert recover(folder).halt("guard") == "", "known by now"
    assert recover(folder).state.nameless == halt, "and shut until somebody resumes"
    write(GateChanged(GateState.OPEN, Decimal(1), "resumed", {}, ""))
    again = recover(folder)
    assert (again.halt("guard"), again.state.nameless) == ("", "")


def test_a_guard_that_can_not_write_its_address_takes_its_post_all_the_same(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, traded=False, guarded=False) as desk:
        (desk.state_dir / "http.json.new").mkdir()
        guard = desk.guard = desk.launch_guard()
        wait_until(lambda: guard.poll() is not None or "http.json" in desk.guard_log, "the guard is up")
        code, told, _ = kill(desk.state_dir, "--all")
        assert (code, told["hand"]) == (0, "guard")


def test_a_flatten_that_only_an_old_latch_tells_of_asks_before_it_closes(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, traded=False, guarded=True, quiet_seconds=1) as desk:
        desk.stop_guard(signal.SIGKILL)
        desk.broker.control("POST", "/positions", {"venue": "sim1", "symbol": "AAPL", "qty": "7"})
        entry = {"v": 1, "id": "20260101T000000Z-00000000", "level": "L4", "scope": "desk", "actor": "ana", "ts": 1}
        (desk.state_dir / "cord.latch").write_text(json.dumps(entry) + "\n")
        desk.start_guard()
        desk.wait_journaled(VenueVerdict, lambda told: "expired" in told.why)
        assert desk.broker.control("GET")["accounts"]["sim1"]["positions"]


def test_a_demo_waits_for_the_guard_of_one_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    desk = SimulatedDesk("demo", seed=1, speed=Decimal(1))
    desk.state.mkdir(parents=True)
    dying = socket.socket(socket.AF_UNIX)
    dying.bind(str(desk.state / "guard.sock"))
    dying.listen()
    threading.Timer(0.5, dying.close).start()
    with only_one(desk):
        assert not listens(desk.state / "guard.sock")
