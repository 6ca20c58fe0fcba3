"""A screen that shows the desk as it is now."""

from typing import cast

from textual.screen import Screen

from console.actions import Console
from console.desk.moment import Moment
from console.desk.reconcile import Comparison


class LiveScreen(Screen[None]):
    """`present` is called at most ten times a second, once the screen is mounted, and must take no time to speak of."""

    AUTO_FOCUS = ""
    _ready = False
    _fault = ""

    @property
    def console(self) -> Console:
        return cast("Console", self.app)

    @property
    def moment(self) -> Moment:
        """What this screen shows: the desk as it is now, unless it says otherwise."""
        return self.console.moment

    @property
    def comparison(self) -> Comparison:
        return self.console.comparison

    def present(self, moment: Moment, comparison: Comparison) -> None:
        raise NotImplementedError

    def refresh_moment(self) -> None:
        """Show what is known now. A mistake of ours in a view is shown, and does not take the cord's keys along."""
        if not self._ready:
            return
        try:
            self.present(self.moment, self.comparison)
        except Exception as error:
            fault = f"{type(self).__name__} can not show this desk: {error!r}"
            if fault != self._fault:
                self._fault = fault
                self.notify(fault, severity="error", timeout=60)

    def on_mount(self) -> None:
        self._ready = True
        self.refresh_moment()
        self.call_after_refresh(self.refresh_moment)  # widths are known only now

    def on_resize(self) -> None:
        """Lines are worked out for a width, which is known only after the layout."""
        self.call_after_refresh(self.refresh_moment)

    def on_screen_resume(self) -> None:
        self.refresh_moment()
