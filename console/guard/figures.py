"""What the guard knows of itself, for /metrics."""

from collections.abc import Mapping

from console.evidence.streams import STREAMS
from console.guard.hub import Hub
from console.guard.prometheus import Family, Sample
from console.guard.recorder import Recorder
from console.guard.stream import Stream


def own_families(what: Mapping[str, str], lag: float, stream: Stream, hub: Hub, recorder: Recorder) -> list[Family]:
    """`what` says what runs here; `lag` is how late the event loop ran, in seconds."""
    refused: list[Sample] = [({"reason": reason}, count) for reason, count in recorder.refused.most_common(20)]
    kept: list[Sample] = [({}, recorder.kept_rows["telemetry"])]
    return [
        ("andon_build_info", "gauge", "Always 1: what runs here.", [(what, 1)]),
        ("andon_guard_loop_lag_seconds", "gauge", "How late the event loop ran.", [({}, lag)]),
        ("andon_guard_clients", "gauge", "Consoles attached.", [({}, len(stream.clients))]),
        ("andon_guard_clients_cut_off_total", "counter", "Consoles that did not read.", [({}, stream.cut_off)]),
        ("andon_journal_records_total", "counter", "Records on disk since the start.", [({}, hub.journaled)]),
        ("andon_journal_stalled_seconds", "gauge", "For how long a record waits for the disk.", [({}, hub.stalled)]),
        ("andon_telemetry_rows_total", "counter", "Rows taken.", [({}, recorder.rows["telemetry"])]),
        ("andon_telemetry_kept_rows_total", "counter", "Rows in closed segments.", kept),
        ("andon_telemetry_refused_rows_total", "counter", "Rows refused, by reason.", refused),
        ("andon_recorder_rows_total", "counter", "Rows taken, by stream.", _by_stream(recorder.rows)),
        ("andon_recorder_kept_bytes_total", "counter", "Bytes of closed segments.", _by_stream(recorder.kept_bytes)),
        ("andon_recorder_lost_rows_total", "counter", "Rows that were not kept.", _by_stream(recorder.lost)),
        ("andon_worker_restarts_total", "counter", "Times the worker was started again.", [({}, recorder.restarts)]),
    ]


def _by_stream(counted: Mapping[str, int]) -> list[Sample]:
    return [({"stream": stream}, counted.get(stream, 0)) for stream in STREAMS]
