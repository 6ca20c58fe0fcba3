"""The palette's entries: the registry's actions and the themes."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from console.actions import ACTIONS, Console, key_at


class PaletteConsole(Console, Protocol):
    @property
    def theme_names(self) -> tuple[str, ...]: ...
    @property
    def room_name(self) -> str: ...
    def use_theme(self, name: str) -> None: ...
    def act(self, name: str) -> None: ...


class Registry(Provider):
    """Disabled actions stay in the list and say why; chosen all the same, they say it again."""

    def _entries(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        console = cast("PaletteConsole", self.app)
        for action in ACTIONS:
            if action.id != "palette":
                refusal = action.refuses(console)
                help_text = f"not now: {refusal}" if refusal else action.help
                yield (
                    f"{action.label}  ({key_at(action, console.room_name)})",
                    help_text,
                    partial(console.act, action.id),
                )
        for name in console.theme_names:
            yield f"Theme: {name}", "Change the colours", partial(console.use_theme, name)

    async def discover(self) -> Hits:
        for label, about, run in self._entries():
            yield DiscoveryHit(label, run, help=about)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for label, about, run in self._entries():
            score = matcher.match(label)
            if score > 0:
                yield Hit(score, matcher.highlight(label), run, text=label, help=about)
