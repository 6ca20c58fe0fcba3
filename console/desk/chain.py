"""The journal's line form: one JSON object a line, each bound to the line before it by SHA-256.

A line is `{"seq","ts","writer","kind","actor","incident"?,"data","prev","hash"}` in exactly that order. `hash` is the
SHA-256 of `prev` followed by the line's own bytes up to, and without, `,"hash"`. Hashing the bytes as they lie in the
file means that anybody can check a chain with a text tool and `sha256sum`; there is no second, "canonical" form that
could disagree with the first.

Only the standard library is used: the direct hand of the cord writes its own journal when nothing else works.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

GENESIS = "0" * 64
_HASH_KEY = b',"hash":"'
_TAIL = len(_HASH_KEY) + 64 + len(b'"}')


class ChainError(ValueError):
    """A line that does not continue its chain. `line` is its 1-based number in the file, `why` is a sentence."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


def dumps(value: object) -> bytes:
    """JSON as the journal writes it: UTF-8, no spaces, keys in the order given. Floats are refused."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_refuse).encode()


def _refuse(value: object) -> object:
    raise TypeError(f"a journal line can not hold {type(value).__name__}: {value!r}")


def seal(
    *,
    seq: int,
    ts: int,
    writer: str,
    kind: str,
    actor: str,
    data: Mapping[str, object],
    prev: str,
    incident: str | None = None,
) -> tuple[bytes, str]:
    """One journal line (with its newline) and its hash, to be given as `prev` to the next."""
    return seal_raw(
        seq=seq, ts=ts, writer=writer, kind=kind, actor=actor, data=dumps(data), prev=prev, incident=incident
    )


def seal_raw(
    *, seq: int, ts: int, writer: str, kind: str, actor: str, data: bytes, prev: str, incident: str | None
) -> tuple[bytes, str]:
    """As `seal`, with `data` already encoded as a JSON object."""
    head: dict[str, object] = {"seq": seq, "ts": ts, "writer": writer, "kind": kind, "actor": actor}
    if incident is not None:
        head["incident"] = incident
    body = b'%s,"data":%s,"prev":"%s"' % (dumps(head)[:-1], data, prev.encode())
    digest = hashlib.sha256(prev.encode() + body).hexdigest()
    return b'%s%s%s"}\n' % (body, _HASH_KEY, digest.encode()), digest


def unseal(line: bytes, prev: str, seq: int, number: int) -> tuple[dict[str, object], str]:
    """Check one line (with or without its newline) against the chain so far and return its object and its hash.

    `prev` is the hash of the line before (`GENESIS` for the first), `seq` the number this line must carry, `number`
    its place in the file for the message. Raises ChainError.
    """
    line = line.rstrip(b"\n")
    if len(line) < _TAIL or line[-_TAIL : -_TAIL + len(_HASH_KEY)] != _HASH_KEY:
        raise ChainError(number, "not a journal line: it does not end in a hash")
    claimed = line[-66:-2].decode("ascii", "replace")
    if hashlib.sha256(prev.encode() + line[:-_TAIL]).hexdigest() != claimed:
        raise ChainError(number, "its hash does not match its bytes and the line before: something here was changed")
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ChainError(number, f"not JSON: {error}") from None
    if record.get("prev") != prev:
        raise ChainError(number, "it names another line before it than the one that stands there")
    if record.get("seq") != seq:
        raise ChainError(number, f"seq is {record.get('seq')}, {seq} was due: a line is missing or doubled")
    return record, claimed


def walk(lines: Iterable[bytes]) -> Iterator[tuple[dict[str, object], str]]:
    """Every record of one writer's file in order, with its hash, checked. Raises ChainError at the first break."""
    prev = GENESIS
    for number, line in enumerate(lines, 1):
        record, prev = unseal(line, prev, number, number)
        yield record, prev
