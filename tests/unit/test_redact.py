"""Secrets are blotted out wherever they turn up, and what is not secret stays as it is."""

import base64
import json
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.desk import events as ev
from console.desk.state import DeskState
from console.evidence.redact import MARK, Redactor, secret_name, secrets_of

SECRET = 'k3y/+"\\ü-of-sim1'
REDACTOR = Redactor([SECRET, "tiny"])


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps({"body": json.dumps({"x": SECRET})}),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET, safe=""),
        quote(SECRET),
        SECRET.encode().hex(),
        *(base64.b64encode((before + SECRET + ":").encode()).decode() for before in ("", "u", "us", "usr:")),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_known_secret_is_found_however_it_is_spelled(spelled: str) -> None:
    text = f"before {spelled} after"
    told = REDACTOR.text(text)
    assert MARK in told
    assert spelled not in told
    assert told.startswith("before ")
    assert told.endswith(" after")
    assert REDACTOR.holds(text.encode())


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdefgh", "abcdefgh"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("sent Bearer eyJhbGciOi.J9 twice", "eyJhbGciOi"),
        ("Cookie: a=first; b=second", "second"),
        ("APCA-API-SECRET-KEY: hunter22", "hunter22"),
        ("x-api-key=hunter22&page=2", "hunter22"),
        ("GET https://ana:hunter22@host/v2?x=1", "hunter22"),
        ("wss://host/stream?access_token=hunter22&v=1", "hunter22"),
        ("password=hunter22, user=ana", "hunter22"),
        ('{"text": "first\\ntoken=hunter22"}', "hunter22"),
        ('{"text": "first\\u000apassword: hunter22"}', "hunter22"),
        ("login --password hunter22 --host x", "hunter22"),
        ('{"secret_key": "hunter\\"22"}', "22"),
        ('{"body": "{\\"apiKey\\": \\"hunter\\\\\\"22\\"}"}', "22"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQhunter22\n-----END PRIVATE KEY-----", "hunter22"),
        ('{"k": "-----BEGIN EC PRIVATE KEY-----\\nMIIEvQhunter22', "hunter22"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, secret: str) -> None:
    told = REDACTOR.text(text)
    assert MARK in told
    assert secret not in told


@pytest.mark.parametrize(
    "text",
    [
        "Basic understanding of keys: keys/alpaca.json",
        '{"kind":"session_changed","venue":"sim1","open":true}',
        '{"token":null,"monkey":1}',
        "GET https://host/v2/orders?status=open&limit=500 → 200",
        "the token is missing",
        "tiny",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert REDACTOR.text(text) == text


def test_no_event_and_no_state_has_a_field_that_looks_secret() -> None:
    """Else the state folded from what is kept would not be the guard's."""
    told: set[str] = set()

    def names(value: object) -> None:
        if isinstance(value, dict):
            told.update(value.get("properties", ()))
            for inner in value.values():
                names(inner)
        elif isinstance(value, list):
            for inner in value:
                names(inner)

    names(msgspec.json.schema(ev.AnyEvent))
    names(msgspec.json.schema(DeskState))
    assert "venues" in told
    assert not [name for name in told if secret_name(name)]


def test_settings_headers_and_urls_go_by_name() -> None:
    assert REDACTOR.headers({"Set-Cookie": "a=b", "Date": "today", "X-Api-Key": "x"}) == {
        "Set-Cookie": MARK,
        "Date": "today",
        "X-Api-Key": MARK,
    }
    assert REDACTOR.settings({"lookback": 20, "feed": {"apiToken": 7, "symbols": ["A", SECRET]}}) == {
        "lookback": 20,
        "feed": {"apiToken": MARK, "symbols": ["A", MARK]},
    }
    assert REDACTOR.url("https://u:p@h/x?page=1&signature=ab&sig%6Eature=cd#f") == (
        f"https://{MARK}@h/x?page=1&signature={MARK}&sig%6Eature={MARK}#f"
    )


def test_yaml_loses_whatever_stands_under_a_secret_key() -> None:
    text = (
        "desk: main\nkeys: keys/x.json\napi_key: |\n  hunter22\n  hunter23\nvenues:\n  - name: a\n"
        "    password: hunter24 # hunter25\n    tokens:\n    - hunter26\n    - hunter27\n    more: 1\n"
        "feed: {secret: hunter28, x: 1}\n# token: hunter29\n"
    )
    told = REDACTOR.yaml(text)
    assert "hunter" not in told
    assert told.splitlines()[:2] == ["desk: main", "keys: keys/x.json"]
    assert "    more: 1" in told.splitlines()
    assert "x: 1}" in told


def test_values_of_variables_that_look_secret_are_secrets() -> None:
    told = {
        "APCA_API_SECRET_KEY": "hunter22",
        "SSH_AUTH_SOCK": "/tmp/agent",
        "HOME": "/root",
        "DB_PASSWORD": "hunter23",
    }
    assert list(secrets_of(told)) == ["hunter22", "hunter23"]


@pytest.mark.parametrize("piece", ["a.", "-a", "?", "\\", "://", "basic ", "token=", '"token":"', "bearer", "x"])
def test_no_text_is_looked_through_again_and_again(piece: str) -> None:
    """A megabyte that a regular expression may take hours for, if it is a careless one."""
    text = "secret://@ " + piece * (1_000_000 // len(piece))
    REDACTOR.text(text)
    REDACTOR.url(text)


names = st.sampled_from(["token", "api_key", "note", "password", "cookie", "x", "Authorization", "url"])
texts = st.text(st.sampled_from("ab1\"'\\ \n=:;,{}[]-é" + "Bearer tk"), max_size=20) | st.sampled_from(
    [SECRET, "token=x", "-----BEGIN PRIVATE KEY-----\nab", "https://a:b@c/", '{"token":"x\\"y"}']
)
json_values = st.recursive(
    texts | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(json_values, st.integers(0, 2))
def test_json_stays_json_and_a_second_time_changes_nothing(value: object, nested: int) -> None:
    text = json.dumps(value)
    for _ in range(nested):
        text = json.dumps({"body": text})
    told = REDACTOR.text(text)
    json.loads(told)
    assert REDACTOR.text(told) == told


@example("00000000", "\x10", 1)
@example("n0secret", "\n0secret", 2)
@given(st.text(min_size=8, max_size=40), st.text(max_size=30), st.integers(0, 2))
def test_no_known_secret_survives_any_nesting(secret: str, around: str, nested: int) -> None:
    text = around + secret + around
    for _ in range(nested):
        text = json.dumps({"body": text})
    told = Redactor([secret]).text(text)
    for _ in range(nested):
        told = json.loads(told)["body"]
    assert secret not in told or secret in MARK + around + MARK or secret in around + MARK + around


@pytest.mark.parametrize("before", ["Ð", "\n", "\\", '"', "é\t", "\\\\", "\x00"])
@pytest.mark.parametrize("secret", ["00000000", "nnnnnnnn", "u00e9000", "\\\\secret", '"quoted"', "d0000000"])
@pytest.mark.parametrize("nested", range(3))
def test_a_secret_behind_an_escape_leaves_json_as_it_was(before: str, secret: str, nested: int) -> None:
    text = json.dumps(before + secret + before)
    for _ in range(nested):
        text = json.dumps({"body": text})
    told = Redactor([secret]).text(text)
    for _ in range(nested):
        told = json.loads(told)["body"]
    assert secret not in json.loads(told)
