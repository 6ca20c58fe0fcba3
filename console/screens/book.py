"""The Book: book and broker side by side."""

from textual.app import ComposeResult

from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.screens.room import Room
from console.screens.views import book as view
from widgets.grid import Grid
from widgets.lines import Lines


class BookScreen(Room):
    ROOM = "book"
    CSS_PATH = ["room.tcss", "book.tcss"]

    def body(self) -> ComposeResult:
        yield Lines(id="parity")
        yield Lines(id="sides")
        yield Grid(view.POSITION_COLUMNS, id="positions", classes="panel", headed=True)
        yield Grid(view.ORDER_COLUMNS, id="orders", classes="panel", headed=True)

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        self.query_one("#parity", Lines).show(view.parity(comparison, self.size.width, live=moment.live))
        self.query_one("#sides", Lines).show(view.venue_lines(moment, comparison))
        positions, orders = self.query_one("#positions", Grid), self.query_one("#orders", Grid)
        positions.show(view.position_rows(moment, comparison))
        orders.show(view.order_rows(moment, comparison))
        held = sum(len(venue.positions) for venue in comparison.venues)
        working = sum(len(venue.orders) for venue in comparison.venues)
        positions.border_title = f" Positions  {held} "
        orders.border_title = f" Open orders  {working} "
