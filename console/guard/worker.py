"""The worker process: whatever holds the interpreter lock for long is done here, and not beside the cord.

`python -m console.guard.worker FOLDER` reads telemetry bodies from standard input (each after its length, 4 bytes big
endian), keeps their rows as Parquet segments in FOLDER, and says on standard output, a JSON object a line, what it kept
and refused. It ends when its input does, so it never outlives its guard. No other process imports DuckDB or PyArrow.

A body is `{"strategy", "kind", "rows": [{"ts", "symbol", "value", "model_hash"?}, …]}`, `kind` such as `predictions`:
`ts` is UTC ns, `value` a decimal number or string of at most 26 digits before the point, and rounded to 12 after it. A
row that is not exactly that is refused with its reason, and the others are kept.
"""

import argparse
import contextlib
import hashlib
import os
import select
import signal
import struct
import sys
import time
from collections import Counter
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from console.guard.kept import SCALE, WHOLE, Kept

SEGMENT_ROWS = 50_000
SEGMENT_SECONDS = 60.0
FOLDER_BYTES = 1 << 30

_STEP = Decimal(1).scaleb(-SCALE)
_WIDE = Context(prec=SCALE + WHOLE + 1)


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reading of a strategy: a prediction, say."""

    ts: int
    symbol: str
    value: Decimal
    model_hash: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.ts < 1 << 63:
            raise ValueError("`ts` is not a time in UTC ns")
        if max(map(len, (self.symbol, self.model_hash))) > 128:
            raise ValueError("a text of more than 128 characters")
        if not self.value.is_finite():
            raise ValueError("`value` is not a number")
        if self.value.adjusted() >= WHOLE:
            raise ValueError(f"`value` has more than {WHOLE} digits before the point")


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    strategy: str
    kind: str
    rows: list[msgspec.Raw]

    def __post_init__(self) -> None:
        if not (0 < len(self.strategy) <= 128 and 0 < len(self.kind) <= 128):
            raise ValueError("`strategy` and `kind` are texts of 1 to 128 characters")


_decode_body = msgspec.json.Decoder(_Body)
_decode_row = msgspec.json.Decoder(Row)


def rows_of(body: bytes) -> tuple[list[Kept], Counter[str]]:
    """The rows of a body that are what they have to be, and how many were refused, by reason."""
    try:
        told = _decode_body.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        return [], Counter({f"body: {error}": 1})
    rows: list[Kept] = []
    refused: Counter[str] = Counter()
    for raw in told.rows:
        try:
            row = _decode_row.decode(raw)
        except (msgspec.MsgspecError, RecursionError) as error:
            refused[str(error)] += 1
        else:
            value = row.value.quantize(_STEP, context=_WIDE)
            rows.append(Kept(row.ts, told.strategy, told.kind, row.symbol, value, row.model_hash))
    return rows, refused


class Segments:
    """Parquet segments in `folder`: each is closed whole (written aside, synced, renamed), the oldest go first when all
    of them exceed `folder_bytes`."""

    def __init__(self, folder: Path, folder_bytes: int = FOLDER_BYTES) -> None:
        self.folder = folder
        self.folder_bytes = folder_bytes
        self.rows: list[Kept] = []
        self.begun = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        for torn in folder.glob("*.new"):
            torn.unlink()

    def add(self, rows: list[Kept]) -> None:
        if rows and not self.rows:
            import console.guard.parquet  # noqa: F401 - before the rows are taken: no row waits for what can not load

            self.begun = time.monotonic()
        self.rows += rows

    @property
    def full(self) -> bool:
        return len(self.rows) >= SEGMENT_ROWS

    def close(self) -> dict[str, Any] | None:
        """Write what has come together and say what it is; None where there is nothing. Raises OSError, and the rows
        are then still here."""
        if not self.rows:
            return None
        from console.guard.parquet import write

        name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(4).hex()}.parquet"
        path, new = self.folder / name, self.folder / f"{name}.new"
        write(self.rows, new)
        with new.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = os.fstat(file.fileno()).st_size
        new.rename(path)
        self._sync()
        kept = {"path": name, "sha256": digest, "rows": len(self.rows), "bytes": size}
        self.rows = []
        self._make_room()
        return kept

    def _sync(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _make_room(self) -> None:
        sizes = [(path, path.stat().st_size) for path in sorted(self.folder.glob("*.parquet"))]
        total = sum(size for _, size in sizes)
        for path, size in sizes[:-1]:
            if total <= self.folder_bytes:
                return
            path.unlink()
            total -= size


class Pipe:
    """A pipe read in exact lengths, with nothing held back that `select` could not see."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe

    def fileno(self) -> int:
        return int(self._pipe.fileno())

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size and (part := self._pipe.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def serve(bodies: Pipe, said: BinaryIO, segments: Segments, seconds: float) -> None:
    """Until `bodies` ends."""

    def say(**what: object) -> None:
        said.write(msgspec.json.encode(what) + b"\n")
        said.flush()

    def close() -> None:
        try:
            kept = segments.close()
        except OSError as error:
            segments.begun = time.monotonic()
            if len(segments.rows) > 4 * SEGMENT_ROWS:  # a disk that stays full must not fill the memory
                say(lost=len(segments.rows), why=str(error))
                segments.rows = []
            return
        if kept is not None:
            say(kept=kept)

    say(ready=os.getpid())
    while True:
        wait = max(0.0, segments.begun + seconds - time.monotonic()) if segments.rows else None
        if not select.select([bodies], [], [], wait)[0]:
            close()
            continue
        head = bodies.read(4)
        body = bodies.read(struct.unpack(">I", head)[0]) if len(head) == 4 else b""
        if not body:
            break
        rows, refused = rows_of(body)
        segments.add(rows)
        say(taken=len(rows), refused=dict(refused))
        if segments.full:
            close()
    close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m console.guard.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=SEGMENT_SECONDS)
    parser.add_argument("--bytes", type=int, default=FOLDER_BYTES)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the guard ends it, by closing its input
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError), open(0, "rb", buffering=0) as unbuffered:
        serve(Pipe(unbuffered), sys.stdout.buffer, Segments(options.folder, options.bytes), options.seconds)


if __name__ == "__main__":
    main()
