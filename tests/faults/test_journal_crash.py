"""The journal under kill -9 and on a full disk, with real processes and a real file system."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from console.desk.events import GuardStopped
from console.evidence.journal import JournalWriter, read, verify

APPENDER = textwrap.dedent("""
    import os, sys, threading
    from pathlib import Path
    from console.desk.events import GuardStopped
    from console.evidence.journal import JournalWriter

    journal = JournalWriter(Path(sys.argv[1]), "guard")
    run = sys.argv[2]

    def load(name):
        for number in range(10**9):
            why = f"{run}-{name}-{number}"
            future = journal.append(GuardStopped(why=why + " " + "x" * (number % 500)), name)
            if number % 7 == 0:
                future.result()
                os.write(1, (why + "\\n").encode())

    for name in "abcd":
        threading.Thread(target=load, args=(name,)).start()
""")

FULL_DISK = textwrap.dedent("""
    import errno, os, resource, signal, sys
    from pathlib import Path
    from console.desk.events import GuardStopped
    from console.evidence.journal import JournalWriter, read, verify

    folder = Path(sys.argv[1]) / "journal"
    filler = Path(sys.argv[1]) / "filler"
    limited = sys.argv[2] == "limit"

    def fill():
        if limited:
            size = (folder / "guard.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
            return
        with filler.open("ab", buffering=0) as file:
            for step in (65536, 4096, 1):
                try:
                    while file.write(b"x" * step):
                        pass
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error

    def drain():
        if limited:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        else:
            filler.unlink()

    journal = JournalWriter(folder, "guard")
    kept = []
    def append(why):
        return journal.append(GuardStopped(why=why), "ana")
    for number in range(10):
        append(f"before {number}").result(30); kept.append(f"before {number}")
    fill()
    big = [(f"full {number} " + "x" * 8000) for number in range(20)]
    for why, future in [(why, append(why)) for why in big]:
        error = future.exception(30)
        assert isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG), error
    assert (folder / "guard.jsonl").read_bytes().endswith(b'"}\\n')
    [report] = verify(folder)
    assert report.problem is None and report.records == 10, report
    drain()
    for number in range(10):
        append(f"after {number}").result(30); kept.append(f"after {number}")
    journal.close()
    assert [record.event.why for record in read(folder)] == kept
    assert verify(folder)[0].problem is None
    print("clean")
""")


def acknowledged_until_killed(folder: Path, run: int, patience: float) -> list[str]:
    """Start a process that appends under load, kill it `patience` seconds after its first acknowledgement, and
    return what it had been told was on disk."""
    child = subprocess.Popen([sys.executable, "-c", APPENDER, str(folder), str(run)], stdout=subprocess.PIPE)
    assert child.stdout
    first = child.stdout.readline()
    told: list[bytes] = []
    deadline = time.monotonic() + patience
    os.set_blocking(child.stdout.fileno(), False)
    while time.monotonic() < deadline:
        told.append(child.stdout.read() or b"")
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    os.set_blocking(child.stdout.fileno(), True)
    told.append(child.stdout.read())
    child.stdout.close()
    child.wait()
    return [line.decode() for line in (first + b"".join(told)).split(b"\n") if line]


def survive(folder: Path, points: int) -> None:
    chance = random.Random(7)
    acknowledged: list[str] = []
    for run in range(points):
        acknowledged += acknowledged_until_killed(folder, run, chance.random() * 0.15)
    JournalWriter(folder, "guard").close()
    assert [report.problem for report in verify(folder)] == [None]
    found = [record.event.why.split(" ")[0] for record in read(folder) if isinstance(record.event, GuardStopped)]
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert len(acknowledged) >= points


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    survive(tmp_path, 20)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nothing_acknowledged_is_lost_or_doubled_by_500_times_kill_9(tmp_path: Path) -> None:
    for round_ in range(20):  # a folder each, so that reading it all back stays a matter of seconds
        survive(tmp_path / str(round_), 25)


def full_disk(command: list[str], folder: Path, how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, sys.executable, "-c", FULL_DISK, str(folder), how], capture_output=True, text=True, timeout=100
    )


def test_a_full_disk_refuses_records_and_leaves_the_journal_clean(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=256k tmpfs {tmp_path} && exec "$0" "$@"'
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    probe = subprocess.run([*own, "sh", "-c", mount, "true"], capture_output=True)
    done = full_disk([*own, "sh", "-c", mount], tmp_path, "disk") if probe.returncode == 0 else None
    if done is None:
        pytest.skip("no mount namespace can be had here; the size limit below tests the same path")
    assert (done.stdout, done.stderr) == ("clean\n", "")


def test_a_write_that_is_cut_short_leaves_the_journal_clean(tmp_path: Path) -> None:
    done = full_disk([], tmp_path, "limit")
    assert (done.stdout, done.stderr) == ("clean\n", "")
