"""`andon journal verify`: proves, with the files alone, that nothing was changed since it was written."""

from datetime import UTC, datetime

from console.commands.output import print_json, print_table
from console.config import ConfigError, find, glance
from console.evidence.journal import WriterReport, verify

BROKEN = 1


def verify_journal(desk: str | None, *, as_json: bool) -> int:
    """Prints each writer's head; returns 1 where a chain is broken. Raises ConfigError where there is no journal."""
    folder = glance(find(desk)).state / "journal"
    reports = verify(folder)
    if not reports:
        raise ConfigError(f"{folder}: there is no journal yet")
    broken = [report for report in reports if report.problem is not None]
    if as_json:
        print_json({"folder": folder, "intact": not broken, "writers": {r.writer: _facts(r) for r in reports}})
    else:
        rows = [(r.writer, f"{r.records} records", r.head_hash, _time(r.first_ts), _time(r.last_ts)) for r in reports]
        print_table(rows)
        for report in broken:
            print(f"{folder / report.writer}.jsonl:{report.line}: {report.problem}")
        print("BROKEN" if broken else "intact up to these heads; compare them with one that was noted elsewhere")
    return BROKEN if broken else 0


def _facts(report: WriterReport) -> dict[str, object]:
    return {
        "records": report.records,
        "head": report.head_hash,
        "first_ts": report.first_ts,
        "last_ts": report.last_ts,
        "problem": report.problem,
        "line": report.line,
    }


def _time(ts: int) -> str:
    return datetime.fromtimestamp(ts // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ts else "–"
