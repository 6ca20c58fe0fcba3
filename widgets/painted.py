"""The ground of every widget here: Textual's Line API, a cache of strips, and repainting of changed lines only."""

from rich.segment import Segment
from textual.cache import LRUCache
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.line import TONES, Line, fit, plain


class Painted(ScrollView, can_focus=False):
    """Paints lines; tones are component classes, so that a theme can change them all at once. Nothing in a line can
    steer the terminal, whatever file it was read from."""

    COMPONENT_CLASSES = {f"tone--{tone}" for tone in TONES} | {"tone--cursor"}

    DEFAULT_CSS = """
    Painted {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .tone--dim { color: $muted; }
        & > .tone--title { text-style: bold; }
        & > .tone--good { color: $success; }
        & > .tone--warn { color: $warning; text-style: bold; }
        & > .tone--bad { color: $error; text-style: bold; }
        & > .tone--cord { color: $error; text-style: bold; }
        & > .tone--stale { color: $stale; text-style: italic; }
        & > .tone--unknown { color: $unknown; }
        & > .tone--cut { color: $cut; text-style: italic; }
        & > .tone--key { color: $accent; text-style: bold; }
        & > .tone--off { color: $pale; }
        & > .tone--band-good { color: $success; text-style: bold reverse; }
        & > .tone--band-warn { color: $warning; text-style: bold reverse; }
        & > .tone--band-bad { color: $error; text-style: bold reverse; }
        & > .tone--band-unknown { color: $unknown; text-style: bold reverse; }
        & > .tone--band-calm { color: $primary; text-style: bold reverse; }
        & > .tone--band-cut { color: $cut; text-style: bold reverse; }
        & > .tone--band-stale { color: $stale; text-style: bold reverse; }
        & > .tone--cursor { text-style: reverse; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._strips: LRUCache[tuple[Line, int, bool], Strip] = LRUCache(1024)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    @property
    def room(self) -> int:
        """Cells that a line has, beside the scrollbar where there is one."""
        return self.scrollable_content_region.width

    def refresh_line(self, y: int) -> None:
        """Nothing is painted for a line out of sight: it would be what lies in its place below this widget."""
        if 0 <= y - self.scroll_offset.y < self.size.height:
            super().refresh_line(y)

    def strip(self, of: Line, *, cursor: bool = False) -> Strip:
        """One line across the whole width, from the cache where it was painted before."""
        width = self.room
        key = (of, width, cursor)
        strip = self._strips.get(key)
        if strip is None:
            base = self.rich_style
            if cursor:
                base += self.get_component_rich_style("tone--cursor", partial=True)
            strip = Strip(
                [
                    Segment(text, base + self.get_component_rich_style(f"tone--{tone}", partial=True) if tone else base)
                    for text, tone in fit(tuple((plain(text), tone) for text, tone in of), width)
                ],
                width,
            ).simplify()
            self._strips[key] = strip
        return strip
