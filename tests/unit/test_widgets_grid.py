"""The grid on a running app: the cursor, the filter, and repainting what changed and nothing else."""

from textual.app import App, ComposeResult

from themes import shipped
from widgets.grid import Column, Grid, Row
from widgets.line import line


class Painted(Grid):
    """Remembers which lines were painted."""

    def __init__(self) -> None:
        super().__init__([Column("name", 10), Column("value", 10, align="right")], headed=True)
        self.painted: set[int] = set()

    def render_line(self, y: int):  # type: ignore[no-untyped-def]
        self.painted.add(y)
        return super().render_line(y)


class Bench(App[None]):
    CSS = "Painted { height: 10; }"

    def compose(self) -> ComposeResult:
        yield Painted()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(shipped()[0].variables)


def rows(count: int, **changed: str) -> list[Row]:
    return [Row(f"r{n}", (line(f"row {n}"), line(changed.get(f"r{n}", str(n))))) for n in range(count)]


async def test_only_changed_lines_are_painted_again() -> None:
    async with Bench().run_test(size=(40, 12)) as pilot:
        grid = pilot.app.query_one(Painted)
        grid.show(rows(5000))
        await pilot.pause()
        grid.painted.clear()
        grid.show(rows(5000, r3="new", r4000="out of sight"))
        await pilot.pause()
        assert grid.painted == {4}
        assert grid.render_line(4).text.split() == ["row", "3", "new"]


async def test_the_cursor_stays_in_sight_and_on_its_row() -> None:
    async with Bench().run_test(size=(40, 12)) as pilot:
        grid = pilot.app.query_one(Painted)
        grid.show(rows(100))
        grid.focus()
        await pilot.pause()
        await pilot.press("end")
        await pilot.pause()
        assert grid.cursor is not None
        assert grid.cursor.key == "r99"
        assert "row 99" in grid.render_line(9).text
        assert "name" in grid.render_line(0).text
        await pilot.press("pageup")
        assert grid.cursor.key == "r91"
        grid.show(rows(100)[50:])
        assert grid.cursor.key == "r91"


async def test_a_filter_keeps_rows_that_hold_every_word() -> None:
    async with Bench().run_test(size=(40, 12)) as pilot:
        grid = pilot.app.query_one(Painted)
        grid.show(rows(30))
        grid.filter("ROW 7")
        assert [row.key for row in grid.rows] == ["r7", "r17", "r27"]
        grid.show(rows(10))
        assert [row.key for row in grid.rows] == ["r7"]
        grid.filter("")
        assert len(grid.rows) == 10
