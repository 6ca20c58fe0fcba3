"""SQL over archives: exact answers, one sentence for what is wrong, and no way out of the room that a query runs in."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.archives import Made, make_archive

from console.desk.archive import Unreadable
from console.desk.events import Filled
from console.evidence.reading import SealedFile
from console.evidence.shelf import FolderShelf

SECRET = "not for queries"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_archive(tmp_path_factory.mktemp("desk") / "archive", incidents=2, events=120, seals=2)


@pytest.fixture
def shelf(made: Made) -> Iterator[FolderShelf]:
    with FolderShelf([made.folder]) as shelf:
        yield shelf


def test_a_query_reads_all_incidents_and_seals_exactly(shelf: FolderShelf, made: Made) -> None:
    filled = [record for record in made.records if isinstance(record.event, Filled)]
    answer = shelf.query("SELECT incident, seal, ts, price FROM fills ORDER BY ts")
    assert [column.kind for column in answer.columns] == ["text", "number", "time", "number"]
    assert {row[0] for row in answer.rows} == set(made.incidents)
    prices = [record.event.price for record in filled if isinstance(record.event, Filled)]
    assert [Decimal(row[3]) for row in answer.rows] == prices
    exact = shelf.sandbox.ask("SELECT epoch_ns(ts) FROM fills ORDER BY 1", 1000).table.column(0).to_pylist()
    assert exact == [record.ts for record in filled]
    one = shelf.query(f"SELECT count(*) FROM fills WHERE incident = '{made.incidents[1]}' AND seal = 2")
    assert 0 < int(one.rows[0][0]) < len(filled) / 2


def test_a_limit_says_that_there_is_more(shelf: FolderShelf) -> None:
    answer = shelf.query("FROM records", limit=7)
    assert (len(answer.rows), answer.more) == (7, True)
    everything = shelf.query("FROM records WHERE pos < 0")
    assert (everything.rows, everything.more, everything.columns[0].name) == ((), False, "incident")


@pytest.mark.parametrize(
    "reads",
    [
        "SELECT 1;",
        "FROM incidents",
        "TABLE items",
        "VALUES (1)",
        "WITH a AS (FROM fills) SELECT count(*) FROM a",
        "DESCRIBE fills",
        "SUMMARIZE positions",
        "SHOW TABLES",
        "EXPLAIN SELECT * FROM fills",
        "/* why */ explain (analyze) SELECT count(*) FROM fills",
        "PIVOT fills ON venue IN ('sim1', 'sim2') USING count(*) GROUP BY symbol",
        "SELECT * FROM query('SELECT count(*) FROM fi' || 'lls')",
        "SELECT list_contains(symbols, 'AAPL') FROM incidents",
    ],
)
def test_what_reads_is_answered(shelf: FolderShelf, reads: str) -> None:
    assert shelf.query(reads).rows


def test_a_table_that_is_named_in_pieces_has_its_rows(shelf: FolderShelf) -> None:
    [(plain,)] = shelf.query("SELECT count(*) FROM fills").rows
    for composed in ("query('FROM fi' || 'lls')", "query_table('fi' || 'lls')", "\"query\"('FROM fi' || 'lls')"):
        assert shelf.query(f"SELECT count(*) FROM {composed}").rows == ((plain,),)


@pytest.mark.parametrize(
    "escape",
    [
        "COPY fills TO '{out}'",
        "COPY (SELECT 1) TO '{out}' (FORMAT parquet)",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}' AS x",
        "CREATE TABLE t AS SELECT 1",
        "CREATE OR REPLACE TEMP VIEW fills AS SELECT 1",
        "CREATE MACRO m() AS 1",
        "INSERT INTO fills SELECT * FROM fills",
        "DELETE FROM fills",
        "DROP VIEW fills",
        "ALTER TABLE fills RENAME TO f",
        "WITH x AS (COPY (SELECT 1) TO '{out}') SELECT 1",
        "WITH x AS (INSERT INTO fills VALUES (1)) SELECT 1",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
        "EXPLAIN ANALYZE /**/ CREATE TABLE t AS SELECT 1",
        "/* explain analyze select 1 -- */ EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
        "/* /* */ explain select 1 -- */ EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
        "EXPLAIN (ANALYZE /* ) select 1 -- */) CREATE TABLE t AS SELECT 1",
        "SELECT '\udc80'",
        "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{out}') SELECT 1",
        "SELECT 1; COPY (SELECT 1) TO '{out}'",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_blob('{secret}')",
        "SELECT * FROM read_json('{secret}')",
        "SELECT * FROM sniff_csv('{secret}')",
        "SELECT * FROM parquet_metadata('{sealed}')",
        "SELECT * FROM read_parquet('{sealed}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM '{sealed}'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
        "SELECT getenv('HOME')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM python_rows",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SET VARIABLE a = 1",
        "CALL enable_logging(storage = 'file', storage_path = '{out}')",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "USE memory",
        "CHECKPOINT",
        "VACUUM",
        "",
    ],
)
def test_nothing_gets_out(shelf: FolderShelf, made: Made, tmp_path: Path, escape: str) -> None:
    secret, out = tmp_path / "secret.csv", tmp_path / "out"
    secret.write_text(SECRET)
    python_rows = made.folder  # noqa: F841 - what a replacement scan would find
    sealed = made.folder / made.incidents[0] / "001-fills.parquet"
    with pytest.raises(Unreadable) as refused:
        shelf.query(escape.format(out=out, secret=secret, sealed=sealed, folder=tmp_path))
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == [secret]
    assert not list(made.folder.rglob("*.new"))


def test_what_is_wrong_is_said_with_its_place(shelf: FolderShelf) -> None:
    for wrong, said in (
        ("SELEC 1", "line 1, column 1: syntax error"),
        ("SELECT 'ä',\n  nope FROM fills", r"line 2, column 3: Referenced column \"nope\" not found"),
        ("SELECT * FROM fils", "line 1, column 15: Table with name fils does not exist"),
        ("SELECT 1; SELECT 2", "one statement is expected, and there are 2"),
        ("DELETE FROM fills", "DELETE is refused: an archive is only read"),
        ("PIVOT fills ON venue USING count(*)", r"PIVOT needs to be told its values"),
    ):
        with pytest.raises(Unreadable, match=f"^{said}"):
            shelf.query(wrong)


ENDLESS = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range * b.range % 7 = 3"


def test_a_query_ends_when_it_is_ended_and_when_it_takes_too_long(shelf: FolderShelf) -> None:
    with pytest.raises(Unreadable, match=r"it took more than 0.1 s"):
        shelf.sandbox.ask(ENDLESS, 1, seconds=0.1)
    stop = threading.Event()

    def cancel() -> None:
        while not stop.wait(0.05):  # until it hits the moment at which one runs
            shelf.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        with pytest.raises(Unreadable, match="it was ended"):
            shelf.query(ENDLESS)
    finally:
        stop.set()
        thread.join()
    assert shelf.query("SELECT 1").rows == (("1",),)


def test_evidence_that_is_not_what_was_sealed_answers_nothing(tmp_path: Path) -> None:
    made = make_archive(tmp_path / "archive", incidents=2, events=60, seals=1)
    path = made.folder / made.incidents[0] / "001-fills.parquet"
    whole = path.read_bytes()
    path.chmod(0o600)
    with FolderShelf([made.folder]) as shelf:
        [(count,)] = shelf.query("SELECT count(*) FROM fills").rows
        path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
        with pytest.raises(Unreadable, match=f"{path}: its bytes are not those"):
            shelf.query("SELECT count(*) FROM fills")
        [(incident, what, file, says)] = shelf.query("FROM findings").rows
        assert (incident, what, file) == (made.incidents[0], "broken", path.name)
        assert "not those that were sealed" in says
        assert shelf.query("SELECT count(*) FROM quotes").rows
        path.write_bytes(whole)
        assert shelf.query("SELECT count(*) FROM fills").rows == ((count,),)
    path.unlink()
    with FolderShelf([made.folder]) as shelf, pytest.raises(Unreadable, match=str(path)):
        shelf.query("SELECT count(*) FROM fills")
    with FolderShelf([made.folder], without=[made.incidents[0]]) as shelf:
        assert shelf.query("SELECT DISTINCT incident FROM fills").rows == ((made.incidents[1],),)


def test_damage_in_a_file_too_large_to_be_hashed_first_is_found_by_its_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_archive(tmp_path / "archive", incidents=1, events=60, seals=1)
    path = made.folder / made.incidents[0] / "001-fills.parquet"
    monkeypatch.setattr("console.evidence.catalogue.SealedFile", partial(SealedFile, whole_bytes=0))
    path.chmod(0o600)
    path.write_bytes(_silently_wrong(path.read_bytes(), "price"))
    with FolderShelf([made.folder]) as shelf:
        with pytest.raises(Unreadable, match=str(path)):
            shelf.query("SELECT sum(price) FROM fills")
        assert shelf.query("SELECT count(symbol) FROM fills").rows


def _silently_wrong(whole: bytes, column: str) -> bytes:
    """With a flipped bit that a reader which looks at no checksum takes for another value."""

    def read(data: bytes) -> pa.Table | None:
        try:
            return pq.ParquetFile(pa.BufferReader(data)).read(columns=[column])
        except (OSError, pa.ArrowException):
            return None

    right = read(whole)
    for at in range(4, len(whole)):
        flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        wrong = read(flipped)
        if wrong is not None and wrong.schema == right.schema and wrong.num_rows == right.num_rows and wrong != right:
            return flipped
    raise AssertionError("no such bit")


def test_several_archives_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_archive(tmp_path / name / "archive", incidents=1, events=60, seals=1)
    with FolderShelf([tmp_path / "one", tmp_path / "two" / "archive"]) as shelf:
        for table in ("fills", "incidents", "items"):
            answer = shelf.query(f"SELECT DISTINCT archive, incident FROM {table} ORDER BY 1")
            assert [row[0] for row in answer.rows] == [str(tmp_path / name / "archive") for name in ("one", "two")]


def test_an_answer_that_is_too_large_is_refused_in_a_sentence(
    shelf: FolderShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.evidence.query.MOST_BYTES", 1 << 20)
    with pytest.raises(Unreadable, match="the answer is larger than"):
        shelf.query("SELECT repeat('x', 10000) FROM range(100000)", limit=100_000)


def test_types_that_only_duckdb_has_are_shown(shelf: FolderShelf) -> None:
    assert shelf.query("SELECT 1::BIGNUM, 'POINT(1 2)'::GEOMETRY, '{}'::JSON, '101'::BIT").rows
