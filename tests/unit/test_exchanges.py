"""What is kept of the exchanges with venues: all that was said, nothing that is secret, no body twice."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.alpaca.cord_form import cord_form
from console.cord.forms import FormHand, Unread
from console.cord.plan import VenuePlan
from console.desk.exchange import KEPT_BODY, answered
from console.desk.hidden import MARK, blot, blot_query, secret_name, spelled
from console.guard import exchanges as module
from console.guard.exchanges import Exchanges
from tests.support.scripted_venue import ScriptedVenue, order

KEY, SECRET = "PKFAKEKEY0123456789", 'fake"secret/that+stays here'


def taken(exchanges: Exchanges) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(each) for each in exchanges.take()]


def hand_at(venue: ScriptedVenue, folder: Path, exchanges: Exchanges) -> FormHand:
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"key_id": KEY, "secret_key": SECRET}))
    keys.chmod(0o600)
    told = {"name": "sim1", "url": venue.url, "keys": str(keys), "timeout": 0.6, "form": cord_form()}
    hand = FormHand(VenuePlan(told), exchanges.of_cord)
    hand.read_keys()
    return hand


def test_the_cords_own_requests_are_told_with_what_became_of_them_and_without_its_keys(tmp_path: Path) -> None:
    echo = {"Set-Cookie": SECRET, "X-Api-Key": KEY, "X-Said": f"for {KEY}"}
    exchanges = Exchanges()
    with ScriptedVenue() as venue:
        venue.rest(order("o1"), order("o2"))
        hand = hand_at(venue, tmp_path, exchanges)
        began = time.time_ns()
        hand.open_orders()
        hand.cancel_all()
        venue.answer = lambda method, path: (403, {"message": f"key {KEY} and {SECRET}"}, echo)
        outcome = hand.cancel("o1")
        assert outcome.detail == f"HTTP 403 key {MARK} and {MARK}"
        venue.answer = lambda method, path: time.sleep(1) or (200, [])
        with pytest.raises(Unread):
            hand.positions()
    with pytest.raises(Unread):
        hand.positions()
    hand.cancel("o2")
    told = taken(exchanges)
    assert [(each["method"], each["path"].partition("?")[0], each["status"]) for each in told] == [
        ("GET", "/v2/orders", 200),
        ("DELETE", "/v2/orders", 207),
        ("DELETE", "/v2/orders/o1", 403),
        ("GET", "/v2/positions", 0),
        ("GET", "/v2/positions", 0),
        ("DELETE", "/v2/orders/o2", 0),
    ]
    assert json.loads(told[1]["body"]) == [{"id": "o1", "status": 200}, {"id": "o2", "status": 200}]
    assert all(each["error"] for each in told[3:])
    assert told[3]["took_ms"] >= 500
    assert began <= told[0]["ts"] <= told[1]["ts"] <= time.time_ns()
    kept = json.dumps(told, ensure_ascii=False)
    assert MARK in kept
    assert blot(kept, spelled([KEY, SECRET, json.dumps(SECRET)[1:-1]])) == kept


def test_a_body_is_kept_again_when_it_changes_when_it_is_old_and_when_all_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchanges = Exchanges()
    tap = exchanges.of_adapter("sim1")

    def ask(body: str, path: str = "/v2/orders") -> dict[str, Any]:
        tap(answered(1, "GET", path, 200, {"a": "b"}, body.encode(), 0.01, ()))
        (told,) = taken(exchanges)
        return told

    first, again, other = ask("[1]"), ask("[1]"), ask("[1]", "/v2/positions")
    assert (first["body"], other["body"]) == ("[1]", "[1]")
    assert again["body"] == ""
    assert again["body_sha256"] == first["body_sha256"]
    assert again["headers"] == {"a": "b"}
    assert ask("[2]")["body"] == "[2]"
    assert ask("[1]")["body"] == "[1]"
    exchanges.forget()
    assert ask("[1]")["body"] == "[1]"
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    assert ask("[1]")["body"] == "[1]"


def test_what_nobody_fetches_is_counted_and_holds_up_nobody() -> None:
    exchanges = Exchanges()
    tap = exchanges.of_adapter("sim1")
    for number in range(module.WAITING + 5):
        tap(answered(number, "GET", "/", 200, {}, b"", 0, ()))
    assert exchanges.lost == 5
    assert len(taken(exchanges)) == module.AT_ONCE


@pytest.mark.parametrize("before", range(KEPT_BODY - 60, KEPT_BODY + 10, 7))
def test_a_secret_at_the_edge_of_what_is_kept_leaves_no_part_of_itself(before: int) -> None:
    secret = "S" * 50
    body = (b"x" * before) + secret.encode() + b"y" * 5000
    assert "SS" not in answered(1, "GET", "/", 200, {}, body, 0, spelled([secret])).body


def test_names_of_secrets_are_known_however_they_are_written() -> None:
    secret = (
        "X-Api-Key api_key apiKey APIKEY APCA-API-SECRET-KEY Set-Cookie Authorization FOO_TOKEN sessionId db_passwd"
    )
    plain = "page_token X-Request-ID X-RateLimit-Limit client_order_id symbols model_hash keys monkey public_key sigma"
    assert [name for name in secret.split() if not secret_name(name)] == []
    assert [name for name in plain.split() if secret_name(name)] == []
    assert blot_query("/v2/x?api%5Fkey=a&page_token=b&c", ()) == "/v2/x?api%5Fkey=[redacted]&page_token=b&c"
