"""Predictions: every one to a file, and in batches to the guard while it is there."""

import asyncio
import json
from collections import deque
from pathlib import Path

from adapters.wire import Answer, Wire

BATCH_SECONDS = 1.0
KEPT = 5_000
MOST_ROWS = 500

Row = dict[str, object]


class Predictions:
    """`count` were written since the process began, `lost` could not be given to the guard."""

    def __init__(self, strategy: str, path: Path) -> None:
        self.strategy = strategy
        self.count = 0
        self.lost = 0
        self.waiting: deque[Row] = deque()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    def write(self, row: Row) -> None:
        """`row` is {"ts", "symbol", "value", "model_hash"}."""
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        self.count += 1
        self.waiting.append(row)
        while len(self.waiting) > KEPT:
            self.waiting.popleft()
            self.lost += 1

    def take(self) -> list[Row]:
        return [self.waiting.popleft() for _ in range(min(MOST_ROWS, len(self.waiting)))]

    def close(self) -> None:
        self._file.close()


async def deliver(folder: Path, sources: list[Predictions]) -> None:
    """Posts what waits to the guard whose http.json lies in the folder, for ever. A guard that is away or refuses loses
    the rows: they are in the file, and trading never waits for telemetry."""
    while True:
        await asyncio.sleep(BATCH_SECONDS)
        wire = _guard(folder)
        if wire is None:
            continue
        for source in sources:
            rows = source.take()
            if rows:
                body = {"strategy": source.strategy, "kind": "predictions", "rows": rows}
                answer = await wire.write("POST", "/telemetry", body=body)
                if not isinstance(answer, Answer) or not answer.done:
                    source.lost += len(rows)
        await wire.aclose()


def _guard(folder: Path) -> Wire | None:
    """The guard's own HTTP address with one of its tokens (the file maps names to tokens); None while it is away."""
    try:
        told = json.loads((folder / "http.json").read_bytes())
        token = next(iter(json.loads((folder / told["token_file"]).read_bytes()).values()))
        return Wire(told["url"], {"Authorization": f"Bearer {token}"}, timeout=2, secrets=(token,))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return None
