"""Lines that were typed before, kept in a file of the user's own."""

from pathlib import Path

from console.config import user_state

KEPT = 500


class History:
    """The newest last. A file that can not be read or written is none: what was typed now is still known."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: list[str] | None = None
        self._at = 0
        self._draft = ""

    @classmethod
    def of_user(cls, name: str) -> "History":
        return cls(user_state() / name)

    @property
    def lines(self) -> list[str]:
        if self._lines is None:
            try:
                self._lines = self._file.read_text("utf-8").splitlines()[-KEPT:]
            except (OSError, UnicodeDecodeError):
                self._lines = []
            self._at = len(self._lines)
        return self._lines

    def add(self, line: str) -> None:
        """Keep it, unless it is the last one again."""
        lines = self.lines
        if line and lines[-1:] != [line]:
            lines.append(line)
            del lines[:-KEPT]
        self._at = len(lines)

    def save(self) -> str:
        """Write the file. Says what went wrong, or nothing."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            aside = self._file.with_suffix(".new")
            aside.touch(mode=0o600)
            aside.write_text("".join(f"{line}\n" for line in self.lines), "utf-8")
            aside.replace(self._file)
        except OSError as error:
            return f"{self._file}: {error.strerror}"
        return ""

    def before(self, typed: str) -> str:
        """One further back; `typed` comes back at the end."""
        if self._at == len(self.lines):
            self._draft = typed
        self._at = max(0, self._at - 1)
        return self.lines[self._at] if self.lines else typed

    def after(self, typed: str) -> str:
        """One further on."""
        if self._at >= len(self.lines):
            return typed
        self._at += 1
        return self.lines[self._at] if self._at < len(self.lines) else self._draft
