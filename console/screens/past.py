"""Desk and Book as they were at an incident's last seal. They lie in room 7: 1 and 2 always are the live desk."""

from collections.abc import Mapping

from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.past import Past
from console.screens.archive_room import ArchiveRoom
from console.screens.book import BookScreen
from console.screens.desk import DeskScreen
from console.screens.views import past as view
from widgets.line import Line


class PastRoom(ArchiveRoom):
    """Shows another moment than now, says so above, and does nothing to any desk."""

    def __init__(self, past: Past) -> None:
        super().__init__()
        self.past = past

    @property
    def moment(self) -> Moment:
        return self.past.moment

    @property
    def comparison(self) -> Comparison:
        return self.past.comparison

    def above(self, moment: Moment) -> tuple[list[Line], list[Line]]:
        width = self.size.width
        return view.header(moment, self.past.summary, width), view.now(self.console.moment, width)

    def standing(self, moment: Moment, width: int) -> list[Line]:
        return view.small(moment, self.past.summary)

    def offers(self) -> Mapping[str, str]:
        return {"desk": "", "book": "", "leave": ""}

    def do_desk(self) -> None:
        self.turn(PastDesk)

    def do_book(self) -> None:
        self.turn(PastBook)

    def turn(self, kind: "type[PastDesk | PastBook]") -> None:
        if not isinstance(self, kind):
            self.app.switch_screen(kind(self.past))


class PastDesk(PastRoom, DeskScreen):
    ROOM = "archive"
    CSS_PATH = ["room.tcss", "desk.tcss"]


class PastBook(PastRoom, BookScreen):
    ROOM = "archive"
    CSS_PATH = ["room.tcss", "book.tcss"]
