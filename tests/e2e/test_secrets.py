"""Known keys everywhere a desk has any, and then every byte of what it keeps is searched for them.

The desk is real: broker, strategies and guard as processes. The broker quotes the keys it is asked with in headers and
refusals, a strategy tells secrets in its settings and its state, logs and attached files are full of them, desk.yaml
has some in comments. The cord is pulled, what there is sealed, verified, exported and indexed.
"""

import base64
import json
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from console.desk import events as ev
from console.desk.hidden import MARK
from tests.support.bot import Bot
from tests.support.broker import PATIENCE, wait_until
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.xdist_group("secrets")

_KEY_LINES = [f"MIIEplanted{number}abcdefghijklmnopqrstuvwxyz0123456789" for number in range(3)]
PEM = "\n".join(["-----BEGIN PRIVATE KEY-----", *_KEY_LINES, "-----END PRIVATE KEY-----"])
PLANTED = {
    "a variable of the environment": 'pager/+"tok\\en-planted-0001',
    "another variable": "dbpassword-planted-0002",
    "a setting by its name": "feedkey-planted-0003",
    "a setting in a URL": "dsnpass-planted-0004",
    "the words of a strategy": "eyJplanted0005.abcdefgh.ijklmnop",
    "a log's Authorization": "bearerplanted0006abc",
    "a log's key=": "keyplanted0007abc",
    "a log's URL": "urlplanted0008abc",
    "a log's JSON": "jsonplanted0009abc",
    "a log's cookie": "cookieplanted0010abc",
    "a log's private key": "MIIEplanted",
    "a comment of desk.yaml": "commentplanted0011abc",
    "a committed desk.yaml": "committedplanted0012abc",
    "an attached file": "attachedplanted0013abc",
    "a wrong bearer token": "wrongtokenplanted0014",
    "a token in a query": "querytokenplanted0015",
    "the symbol of a prediction": "telemetryplanted0016abc",
}


class Leak(NamedTuple):
    where: str
    secret: str
    form: str


class Leaky(Bot):
    """A strategy that tells more than it should."""

    def __init__(self, known: str) -> None:
        super().__init__("leaky")
        self._known = known

    def told(self, what: str) -> dict[str, Any]:
        if what == "settings":
            return {
                "feed_api_key": PLANTED["a setting by its name"],
                "dsn": f"postgres://ana:{PLANTED['a setting in a URL']}@127.0.0.1/db",
                "note": f"the venue's secret is {self._known}",
                "lookback": "20",
            }
        told = super().told(what)
        if what == "state":
            why = f"401 for Bearer {PLANTED['the words of a strategy']}, asked with {self._known}"
            told |= {"healthy": False, "why": why}
        return told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What commands said."""
    return []


@pytest.fixture(scope="module")
def desk(folder: Path, said: list[str]) -> Iterator[DeskProcesses]:
    """A desk on which everything has been said, pulled, sealed, exported; it has ended."""
    log = folder / "bot.log"
    log.write_text("")
    desk = DeskProcesses(folder, guarded=False, pictures=True, described=(f"logs: [{{name: bot, path: {log}}}]",))
    with desk:
        secret = desk.broker.accounts["sim1"][1]
        with Leaky(secret) as bot:
            describe(desk, bot.url)
            variables = {
                "FOO_TOKEN": PLANTED["a variable of the environment"],
                "ANDON_DB_PASSWORD": PLANTED["another variable"],
            }
            desk.start_guard(**variables)
            for venue in desk.broker.accounts:
                desk.broker.fault("echoes_keys", venue)
            talk(desk, log)
            pull(desk, said)
            attach(desk, folder, said)
            assert desk.stop_guard(signal.SIGTERM) == 0
            (incident,) = desk.folded().logbook.incidents
            for words in (("reindex",), ("list",), ("show", incident, "--timeline")):
                andon(desk, said, "archive", *words)
        yield desk


def describe(desk: DeskProcesses, url: str) -> None:
    """One strategy more, and a desk.yaml with secrets in comments, one in git and one not."""
    text = desk.file.read_text()
    mine = f"  - name: leaky\n    venue: sim1\n    symbols: [JPM]\n    host: {url}\n"
    text = text.replace("strategies:\n", f"strategies:\n{mine}")
    committed = f"# api_key: {PLANTED['a committed desk.yaml']}\n"
    desk.file.write_text(committed + text)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(desk.folder)]
    for words in (["init", "-q"], ["add", "desk.yaml"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    desk.file.write_text(f"# wss://ana:{PLANTED['a comment of desk.yaml']}@host/stream\n" + text)


def talk(desk: DeskProcesses, log: Path) -> None:
    """The bot's log, telemetry, and requests that are refused."""
    wait_until(lambda: (desk.state_dir / "signing.key").exists(), "the recorder's worker, which follows the log")
    key, secret = desk.broker.accounts["sim1"]
    both = base64.b64encode(f"{key}:{secret}".encode()).decode()
    with log.open("a") as file:
        for line in (
            "Authorization: Bearer " + PLANTED["a log's Authorization"],
            "asking https://host/feed?key=" + PLANTED["a log's key="] + "&symbol=AAPL",
            "connecting wss://ana:" + PLANTED["a log's URL"] + "@host/stream",
            json.dumps({"level": "error", "api_key": PLANTED["a log's JSON"], "kept": "this stays"}),
            "Cookie: a=1; sid=" + PLANTED["a log's cookie"],
            PEM,
            f"venue said {secret} and Basic {both} for {key}",
            "pager " + json.dumps(PLANTED["a variable of the environment"]),
            "pager " + quote(PLANTED["a variable of the environment"], safe=""),
            "an ordinary line",
        ):
            file.write(line + "\n")
    rows = [{"ts": 1, "symbol": PLANTED["the symbol of a prediction"], "value": 1, "token": "x"}]
    rows += [{"ts": 2, "symbol": secret, "value": 1, "model_hash": secret}]
    assert desk.http("POST", "/telemetry", {"strategy": "leaky", "kind": "predictions", "rows": rows})[0] == 202
    assert desk.http("GET", "/metrics", token=PLANTED["a wrong bearer token"])[0] == 401
    assert desk.http("GET", f"/metrics?access_token={PLANTED['a token in a query']}", token=None)[0] == 401


def pull(desk: DeskProcesses, said: list[str]) -> None:
    """With cancels that the venue refuses in words that hold its keys."""
    desk.broker.control("POST", "/orders", {"venue": "sim1", "count": 3})
    desk.broker.fault("rate_limited", "sim1", 0, methods=["DELETE"], times=2)
    andon(desk, said, "kill", "--all", "--reason", "the feed is wrong", "--level", "L4")
    andon(desk, said, "status")
    wait_until(lambda: len(desk.journaled(ev.ArchiveSealed)) >= 2, "two seals")


def attach(desk: DeskProcesses, folder: Path, said: list[str]) -> None:
    secret = desk.broker.accounts["sim1"][1]
    text, binary = folder / "dump.txt", folder / "core.bin"
    text.write_text(f"password = {PLANTED['an attached file']}\nvenue {secret}\nkept\n")
    binary.write_bytes(b"\xff\xfe\x00" + secret.encode() + b"\x00")
    (incident,) = desk.folded().logbook.incidents
    andon(desk, said, "incident", "attach", incident, str(text))
    andon(desk, said, "incident", "attach", incident, str(binary), code=None)
    andon(desk, said, "incident", "snapshot")
    andon(desk, said, "incident", "close", incident, "--outcome", "it was the feed")
    wait_until(lambda: any(seal.why == "closed" for seal in desk.journaled(ev.ArchiveSealed)), "the last seal")
    andon(desk, said, "archive", "verify")
    andon(desk, said, "archive", "export", incident, "-o", str(folder / "evidence.tar.zst"))
    for words in (("incident", "show", incident), ("journal", "verify"), ("book",), ("gate",)):
        andon(desk, said, *words, code=None)


def andon(desk: DeskProcesses, said: list[str], *words: str, code: int | None = 0) -> None:
    command = [sys.executable, "-m", "console", "--desk", str(desk.file), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    said += [done.stdout, done.stderr]
    assert code is None or done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


# --- searching ------------------------------------------------------------------------------------------------------


def forms(secret: str) -> dict[str, bytes]:
    """How a secret may lie there. Written anew here: the search must not be as blind as what it searches."""
    raw = secret.encode()
    found = {
        "as it is": raw,
        "in JSON": json.dumps(secret)[1:-1].encode(),
        "in JSON twice": json.dumps(json.dumps(secret))[3:-3].encode(),
    }
    found |= {"in a URL": quote(secret, safe="").encode(), "in hex": raw.hex().encode()}
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + raw)[4:].rstrip(b"=")[:-2]
        found[f"in base64, shifted by {shift}"] = text
        found[f"in URL-safe base64, shifted by {shift}"] = text.replace(b"+", b"-").replace(b"/", b"_")
    return found


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """The bytes of a file, and what they hold where they are packed: a table's columns, the files of an export."""
    data = path.read_bytes()
    yield path.name, data
    if path.suffix == ".parquet":
        yield from columns(path.name, data)
    elif path.name.endswith(".tar.zst"):
        with tarfile.open(fileobj=BytesIO(pa.input_stream(path, compression="zstd").read())) as tar:
            for member in tar:
                packed = tar.extractfile(member)
                assert packed is not None
                held = packed.read()
                yield f"{path.name}:{member.name}", held
                if member.name.endswith(".parquet"):
                    yield from columns(member.name, held)
    elif path.suffix == ".duckdb":
        import duckdb

        with duckdb.connect(str(path), read_only=True) as database:
            for (table,) in database.sql("select table_name from duckdb_tables()").fetchall():
                yield f"{path.name}:{table}", repr(database.table(table).fetchall()).encode()


def columns(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    table = pq.read_table(BytesIO(data))
    for column in table.column_names:
        values = table[column].to_pylist()
        yield f"{name}:{column}", "\n".join(map(str, values)).encode()
        yield f"{name}:{column} (decoded)", "\n".join(decoded(str(value)) for value in values).encode()


def decoded(text: str) -> str:
    """JSON within JSON, once more read."""
    return re.sub(r"\\(.)", r"\1", text)


def leaks(paths: list[Path], secrets: dict[str, str]) -> list[Leak]:
    searched = {name: forms(secret) for name, secret in secrets.items()}
    return [
        Leak(where, name, form)
        for path in paths
        for where, data in contents(path)
        for name, written in searched.items()
        for form, looked_for in written.items()
        if looked_for in data
    ]


def secrets_of(desk: DeskProcesses) -> dict[str, str]:
    accounts = desk.broker.accounts.items()
    keys = {
        f"{what} of {name}": each
        for name, pair in accounts
        for what, each in zip(("key id", "secret"), pair, strict=True)
    }
    signing = (desk.state_dir / "signing.key").read_text().splitlines()[1]
    tokens = json.loads((desk.state_dir / "tokens.json").read_bytes())
    return {
        **PLANTED,
        **keys,
        "the signing key": signing[20:],
        **{f"token {name}": each for name, each in tokens.items()},
    }


def kept(desk: DeskProcesses) -> list[Path]:
    """Every file of the state folder but those where keys belong, the guard's and the strategies' logs, the export."""
    own = {desk.state_dir / "tokens.json", desk.state_dir / "signing.key"}
    found = [path for path in desk.state_dir.rglob("*") if path.is_file() and path not in own]
    return [*found, desk.folder / "guard.log", desk.folder / "strategies.log", desk.folder / "evidence.tar.zst"]


def test_no_secret_lies_in_anything_that_is_kept(desk: DeskProcesses) -> None:
    assert sorted({*leaks(kept(desk), secrets_of(desk))}) == []


def test_no_secret_was_said_on_any_terminal(desk: DeskProcesses, said: list[str], folder: Path) -> None:
    (folder / "said").write_text("\n".join(said))
    assert leaks([folder / "said"], secrets_of(desk)) == []


def test_the_search_finds_what_is_there_and_all_of_it_was_there_to_be_found(desk: DeskProcesses, folder: Path) -> None:
    """Where keys belong they are found; in the evidence each kind of place is blotted, and the rest of it stands."""
    searched = {each.secret for each in leaks([*desk.broker.key_files.values()], secrets_of(desk))}
    assert searched >= {"key id of sim1", "secret of sim2"}
    planted = folder / "planted.parquet"
    pq.write_table(pa.table({"x": [f"before {name} {secret}" for name, secret in PLANTED.items()]}), planted)
    assert {each.secret for each in leaks([planted], PLANTED)} == set(PLANTED)
    (archive,) = (desk.state_dir / "archive").glob("INC-*")
    for item, column, rest in (
        ("exchanges", "headers", "x-ratelimit-limit"),
        ("exchanges", "body", "may not"),
        ("logs", "text", "an ordinary line"),
        ("logs", "text", "this stays"),
        ("settings", "value", "20"),
        ("config", "live", "venues:"),
        ("config", "committed", "venues:"),
        ("records", "data", "strategy_sampled"),
        ("journal", "data", "HTTP 429"),
    ):
        text = "\n".join(
            str(value)
            for file in sorted(archive.glob(f"*-{item}.parquet"))
            for value in pq.read_table(file)[column].to_pylist()
        )
        assert rest in text, (item, column)
        assert MARK in text, (item, column)
    (attached,) = archive.glob("*-attached-dump.txt")
    assert attached.read_text() == f"password = {MARK}\nvenue {MARK}\nkept\n"
    assert not list(archive.glob("*-attached-core.bin"))
    assert not list((desk.state_dir / "uploads").glob("*"))
