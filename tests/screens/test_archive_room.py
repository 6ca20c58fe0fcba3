"""Room 7 on real archives: found, proven, read, asked, and never taken for the live desk."""

import hashlib
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from msgspec.structs import replace

from console.app import AndonApp
from console.archives import FolderArchives
from console.desk.archive import Archives, Shelf
from console.desk.events import ArchiveSealed
from console.desk.pull import Level, Scope
from console.desk.source import Attached
from console.desk.state import fold_all
from console.evidence.columns import schema
from console.evidence.items import TABLES
from console.evidence.manifest import HeadLine
from console.evidence.seal import Facts, TablePart, seal
from console.offline import NoDesk, OfflineApp
from console.screens.case import CaseScreen
from console.screens.cord import CordScreen
from console.screens.past import PastDesk
from console.screens.query import QueryScreen
from console.screens.table import PlotScreen, RowScreen, TableScreen
from tests.pictures import settle, step_by_step
from tests.support import evidence, scenario
from tests.support.archives import Made, make_archive
from tests.unit.test_tampering import rewrite
from widgets.grid import Grid
from widgets.line import text_of
from widgets.lines import Lines
from widgets.page import Page
from widgets.table import Table

pytestmark = pytest.mark.xdist_group("archive")
BEATS = 300_000
COUNTED = "select incident, count(*) as n from fills group by incident order by 1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three incidents of generated events."""
    return make_archive(tmp_path_factory.mktemp("made") / "archive", incidents=3, events=120).folder


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The histories that pictures are drawn of."""
    return evidence.shelf_folder(tmp_path_factory.mktemp("told"))


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One incident with a table of 300,000 rows."""
    archive = tmp_path_factory.mktemp("long") / "archive"
    form = schema(TABLES["heartbeats"])
    numbers = pa.array(range(BEATS), pa.int64())
    columns = [
        pa.compute.add(pa.compute.multiply(numbers, 1_000_000), scenario.NOW).cast(form.field("ts").type),
        pa.array(["sim1", "sim2", "sim2"] * (BEATS // 3)),
        pa.array(range(BEATS, 0, -1), pa.int64()),
        pa.nulls(BEATS, pa.string()),
    ]
    part = TablePart(
        item="heartbeats",
        schema=form,
        batches=[pa.RecordBatch.from_arrays(columns, schema=form)],
        captured_at=scenario.NOW,
        by="guard",
        source="recorder",
    )
    facts = Facts(
        incident="INC-2026-0001",
        why="pull",
        by="ana",
        cls="",
        severity="P1",
        title="long",
        opened_at=scenario.NOW,
        closed_at=0,
        pulls=(),
        desk="demo",
        mode="simulated",
        journal={},
        fold=hashlib.sha256(b"").hexdigest(),
        records=0,
        version="0.1.0",
        missing=[],
    )
    seal(archive / "INC-2026-0001", facts, iter([part]), evidence.SIGNER, clock=lambda: scenario.NOW)
    return archive


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def offline(folder: Path) -> AndonApp:
    return OfflineApp(NoDesk(), None, archives=evidence.archives(folder), clock=lambda: scenario.NOW)


class Live:
    """A console on a live desk with an archive beside it."""

    def __init__(self, archives: Archives) -> None:
        self.seconds = 100.0
        self.source = scenario.FakeSource(scenario.calm().updates)
        self.cord = scenario.RecordingCord()
        self.app = AndonApp(
            self.source, self.cord, archives=archives, clock=lambda: scenario.NOW, monotonic=lambda: self.seconds
        )


def listed(app: AndonApp) -> list[str]:
    return [row.key.rpartition("/")[2] for row in app.screen.query_one("#list", Grid).rows]


def lines(app: AndonApp, selector: str) -> str:
    return "\n".join(text_of(line) for line in app.screen.query_one(selector, Lines | Page).lines)  # type: ignore[type-var]


def toasts(app: AndonApp) -> str:
    return "\n".join(toast.message for toast in app._notifications)


# --- finding ----------------------------------------------------------------------------------------------------------


async def test_the_latest_comes_first_and_a_line_finds_others(made: Path) -> None:
    app = offline(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot)
        assert listed(app) == ["INC-2026-0003", "INC-2026-0002", "INC-2026-0001"]
        await step_by_step(pilot, "slash", "type:class:runaway sev:1", "enter")
        assert listed(app) == ["INC-2026-0002"]
        assert "class runaway and P1" in lines(app, "#sought")


async def test_a_symbol_is_looked_for_in_the_evidence(made: Path) -> None:
    app = offline(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "slash", "type:symbol:nvda", "enter")
        assert len(listed(app)) == 3
        await step_by_step(pilot, "slash", *("backspace",) * 4, "type:tsla", "enter")
        assert listed(app) == []


async def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    app = offline(tmp_path / "gone")
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot)
        assert "gone" in lines(app, "#nothing")


async def test_a_disk_that_hangs_blocks_neither_the_keys_nor_the_way_out(made: Path) -> None:
    class Hanging(FolderArchives):
        wakes = threading.Event()

        def shelf(self) -> Shelf:
            self.wakes.wait()
            return super().shelf()

    archives = Hanging([made], lambda: None)
    live = Live(archives)
    async with live.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await pilot.pause()
        assert "reading the archive" in lines(live.app, "#nothing")
        await pilot.press("1")
        await pilot.pause()
        assert live.app.current_mode == "desk"
    archives.wakes.set()


# --- proving ----------------------------------------------------------------------------------------------------------


async def test_a_verification_says_in_words_what_was_changed(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", incidents=1, events=60).folder
    file = next((archive / "INC-2026-0001").glob("*-heartbeats.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o600)
    file.write_bytes(data)
    app = offline(archive)
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "enter")
        assert "UNCHECKED" in lines(app, "#page")
        await step_by_step(pilot, "v")
        page = lines(app, "#page")
        assert page.startswith("✗ BROKEN")
        assert file.name in page.partition("P0")[0], "the finding stands at the top"
        await step_by_step(pilot, "escape")
        assert "✗ broken" in " ".join(map(text_of, app.screen.query_one("#list", Grid).rows[0].cells))


def with_seals(made: Made, seals: int) -> None:
    """Leaves of the manifest what it said after so many seals."""
    manifest = made.folder / "INC-2026-0001" / "manifest.jsonl"
    kept = manifest.with_name("manifest.whole")
    whole = (made.folder / kept.name).read_bytes() if (made.folder / kept.name).exists() else manifest.read_bytes()
    (made.folder / kept.name).write_bytes(whole)
    lines = whole.splitlines(keepends=True)
    heads = [number for number, each in enumerate(lines, 1) if b'"kind":"head"' in each]
    manifest.chmod(0o600)
    manifest.write_bytes(b"".join(lines[: heads[seals - 1]]))


async def test_what_the_list_verified_is_not_called_unchecked_on_its_page(told: Path) -> None:
    app = offline(told)
    async with app.run_test(size=(120, 36)) as pilot:
        await step_by_step(pilot, "v", "enter")
        page = lines(app, "#page")
        assert page.startswith("✓ VERIFIED")
        assert "✓ verified" in page
        assert "○ unchecked" not in page


async def test_a_page_follows_the_seals_that_are_added(tmp_path: Path) -> None:
    made = make_archive(tmp_path / "archive", incidents=1, events=60, seals=3)
    with_seals(made, 1)
    live = Live(FolderArchives([made.folder], lambda: None))
    async with live.app.run_test(size=(120, 36)) as pilot:
        await step_by_step(pilot, "7", "enter", "v")
        assert "1 time, last" in lines(live.app, "#page")
        with_seals(made, 2)
        told = [
            record for record in made.records if not isinstance(record.event, ArchiveSealed) or record.event.seal < 3
        ]
        live.source.put(Attached(fold_all(told)))
        await step_by_step(pilot)
        page = " ".join(lines(live.app, "#page").split())
        assert "○ UNCHECKED Seal 2 was added since it was verified" in page
        assert "2 times, last" in page
        with_seals(made, 3)
        await step_by_step(pilot, "v")
        page = " ".join(lines(live.app, "#page").split())
        assert "the last seal is 3" in page
        assert "3 times, last" in page


async def test_where_there_are_no_rows_nothing_is_filtered(made: Path) -> None:
    app = offline(made)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await step_by_step(pilot, "enter", "slash")
        assert "no rows here" in toasts(app)
        assert not app.screen.query_one("#filter").has_class("-asking")


async def test_what_is_typed_right_behind_the_key_of_a_line_belongs_to_it(made: Path) -> None:
    app = offline(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "colon", f"type:{COUNTED}", "enter")
        room = app.screen
        assert room.query_one("#table").has_focus
        assert isinstance(room, QueryScreen)
        room.do_query()
        assert room.focused is room.query_one("#statement"), "before any other key is looked at"


async def test_a_whole_incident_leaves_as_one_file_and_its_path_is_said(made: Path, tmp_path: Path) -> None:
    app = offline(made)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await step_by_step(pilot, "enter", "x", "enter")
        file = tmp_path / "INC-2026-0003.tar.zst"
        assert file.is_file(), toasts(app)
        assert str(file) in toasts(app)
    exported = offline(file)
    async with exported.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot)
        assert listed(exported) == ["INC-2026-0003"]


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_of_a_long_table_no_more_is_held_than_is_near_the_window(long: Path) -> None:
    app = offline(long)
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "enter", "down", "enter", "end")
        assert isinstance(app.screen, TableScreen)
        table = app.screen.query_one("#table", Table)
        assert table.count == BEATS
        last = table.row(BEATS - 1)
        assert last is not None
        assert last[1:3] == ("sim2", "1")
        assert len(table._rows) <= 3 * table.size.height
        await step_by_step(pilot, "right", "right", "s", "s")
        first = table.row(0)
        assert first is not None
        assert first[2] == str(BEATS), "sorted downwards by the column under the cursor"
        await step_by_step(pilot, "slash", "type:sim1", "enter")
        assert table.count == BEATS // 3
        await step_by_step(pilot, "p")
        assert isinstance(app.screen, PlotScreen)
        assert "each column is the mean of" in lines(app, "#plot")


async def test_a_row_is_shown_whole_and_a_sealed_screen_is_readable(told: Path) -> None:
    app = offline(told)
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "enter", "down", "enter", "end", "enter")
        assert isinstance(app.screen, RowScreen)
        assert "the broker sees our order, too" in " ".join(lines(app, "#row").split())
        await step_by_step(pilot, "escape", "escape", "down", "down", "down", "enter")
        drawn = lines(app, "#page")
        assert "GATE ■ HALTED 0 %" in drawn, "the words of the SVG, in their places"
        await step_by_step(pilot, "escape", "down", "enter")
        assert "P A R T I A L" in lines(app, "#page")


# --- asking -----------------------------------------------------------------------------------------------------------


async def test_a_query_answers_in_a_table_and_is_remembered(made: Path, tmp_path: Path) -> None:
    app = offline(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "colon")
        table = app.screen.query_one("#table", Table)
        assert ("heartbeats",) in [(table.row(number) or ("",))[:1] for number in range(table.count)]
        await step_by_step(
            pilot, "type:select incident, count(*) as n from fills group by incident order by 1", "enter"
        )
        assert table.count == 3
        assert (table.row(0) or ("",))[0] == "INC-2026-0001"
        await step_by_step(pilot, "colon", "ctrl+u", "type:select * form fills", "enter")
        assert "Error" in lines(app, "#below") or "error" in lines(app, "#below")
        assert "\n" not in lines(app, "#below")
    again = offline(made)
    async with again.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "colon", "up", "up", "enter")
        assert again.screen.query_one("#table", Table).count == 3


async def test_an_answer_that_is_longer_says_so(made: Path) -> None:
    app = offline(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "colon", "type:select a.ts from records a, records b", "enter")
        assert app.screen.query_one("#table", Table).count == 1000
        assert "the first 1,000 rows" in lines(app, "#below")


async def test_escape_ends_a_query_that_runs(made: Path) -> None:
    app = offline(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "colon")
        line = "select count(*) from records a, records b, records c, records d, records e where a.data < b.data"
        await step_by_step(pilot, f"type:{line}")
        await pilot.press("enter")
        await pilot.pause()
        room = app.screen
        assert isinstance(room, QueryScreen)
        assert room.pending, "it runs"
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen is room
        assert not room.pending
        assert lines(app, "#below").strip()


# --- a desk as it was -------------------------------------------------------------------------------------------------


async def test_an_archived_desk_says_so_and_has_nothing_to_pull(told: Path) -> None:
    app = offline(told)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await step_by_step(pilot, "enter", "d")
        assert isinstance(app.screen, PastDesk)
        head = lines(app, "#header")
        assert head.startswith(" ARCHIVE  INC-2026-0007")
        assert "2026-03-16 14:32:07Z" in head
        assert "GUARD DOWN" not in lines(app, "#banner")
        assert "DOWN" not in head
        await step_by_step(pilot, "K")
        assert isinstance(app.screen, PastDesk)
        assert "there is nothing to pull" in toasts(app)


async def test_k_above_an_archived_desk_pulls_the_live_one_and_says_so(told: Path) -> None:
    live = Live(evidence.archives(told))
    async with live.app.run_test(size=(80, 24)) as pilot:
        await step_by_step(pilot, "7", "enter", "d")
        assert "GATE ● OPEN 100 %" in lines(live.app, "#banner"), "how the live desk stands stays in sight"
        await step_by_step(pilot, "K")
        assert isinstance(live.app.screen, CordScreen)
        assert "not the archive: this is the desk demo as it is NOW" in lines(live.app, "#title")
        live.seconds += 1
        await step_by_step(pilot, "3")
        assert live.cord.pulls == [(Level.L3, Scope("desk"), "console")]
        assert live.app.current_mode == "verdict", "and what comes of it is the live desk's"


async def test_nothing_is_done_from_an_archived_desk_and_one_key_leads_to_the_live_one(told: Path) -> None:
    live = Live(evidence.archives(told))
    async with live.app.run_test(size=(80, 24), notifications=True) as pilot:
        await step_by_step(pilot, "7", "enter", "d", *"ruacgiem")
        assert isinstance(live.app.screen, PastDesk)
        assert {toast.message for toast in live.app._notifications} == {
            "this is an archived desk: 1 goes to the live one"
        }
        assert not live.source.commands
        assert not live.source.kept
        await step_by_step(pilot, "b", "1")
        assert live.app.current_mode == "desk"
        await step_by_step(pilot, "7", "escape")
        assert isinstance(live.app.screen, CaseScreen)


async def test_help_fits_on_the_smallest_screen_wherever_one_is(told: Path) -> None:
    live = Live(evidence.archives(told))
    async with live.app.run_test(size=(80, 24)) as pilot:
        for way in (("7",), ("enter",), ("d",), ("escape", "down", "enter"), ("escape", "colon", "escape")):
            await step_by_step(pilot, *way, "question_mark")
            said = lines(live.app, "#text")
            assert "Verdict" in said
            assert len(said.splitlines()) <= 22, way
            await step_by_step(pilot, "escape")


# --- evidence that steers ---------------------------------------------------------------------------------------------


async def test_what_evidence_says_is_no_markup_and_steers_no_terminal(tmp_path: Path) -> None:
    made = make_archive(tmp_path / "archive", incidents=1, events=40, seals=1)
    evil = "[/x] [@click=app.quit]\x1b]0;owned\x07\u202e"
    rewrite(
        made.folder / "INC-2026-0001",
        made.signer,
        lambda line: replace(line, cls=evil, title=evil, by=evil) if isinstance(line, HeadLine) else line,
    )
    app = offline(made.folder)
    async with app.run_test(size=(120, 36)) as pilot:
        await step_by_step(pilot, "enter")
        page = app.screen.query_one("#page", Page)
        assert "[@click=app.quit]" in page._border_title.plain  # type: ignore[union-attr]
        assert "\x1b" not in page._border_title.plain  # type: ignore[union-attr]
        painted = "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
        assert evil[:4] in painted
        assert not {"\x1b", "\x07", "\u202e"} & set(painted)
