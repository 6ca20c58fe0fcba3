"""desk.yaml: what is understood, and that everything else is refused at its line with what was expected."""

import json
import os
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import config
from console.config import ConfigError, HttpConfig, find, glance, load
from console.strict_yaml import YamlError, parse

DESK = """\
desk: demo
mode: simulated
venues:
  - name: sim1
    adapter: alpaca
    base_url: http://127.0.0.1:4100/
    keys: keys/sim1.json
    phone: "+1 555 0100"
    timeout: 2.5
strategies:
  - name: momentum
    venue: sim1
    symbols: [AAPL, BTC/USD]
    host: http://127.0.0.1:4200/momentum
    model_hash: 7c1f
limits: {daily_loss_pct: 2.5, orders_per_minute: 60}
cord: {quiet_seconds: 5}
http: {port: 0}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys = tmp_path / "keys" / "sim1.json"
    keys.parent.mkdir()
    keys.write_text(json.dumps({"key_id": "K", "secret_key": "S"}))
    keys.chmod(0o640)
    return tmp_path


def desk(folder: Path, text: str = DESK) -> Path:
    path = folder / "desk.yaml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    """What is said about a wrong file, without the folder's name."""
    with pytest.raises(ConfigError) as refused:
        load(desk(folder, text))
    assert "\n" not in str(refused.value)
    return str(refused.value).replace(f"{folder}/", "")


def test_a_desk_is_read_as_it_was_written(folder: Path) -> None:
    read = load(desk(folder))
    [venue] = read.venues
    [strategy] = read.strategies
    assert (read.name, read.mode, read.state) == ("demo", "simulated", Path("/var/lib/andon/demo"))
    assert (venue.base_url, venue.data_url) == ("http://127.0.0.1:4100", "http://127.0.0.1:4100")
    assert (venue.keys, venue.phone, venue.timeout) == (folder / "keys" / "sim1.json", "+1 555 0100", 2.5)
    assert (strategy.symbols, strategy.model_hash) == (("AAPL", "BTC/USD"), "7c1f")
    assert (read.limits.daily_loss_pct, read.limits.drawdown_pct) == (Decimal("2.5"), Decimal(6))
    assert (read.limits.orders_per_minute, read.limits.errors_per_minute) == (60, 10)
    assert (read.cord.quiet_seconds, read.http) == (5, HttpConfig(0))


def test_what_may_be_left_out_has_the_defaults(folder: Path) -> None:
    text = DESK.split("limits:")[0]
    read = load(desk(folder, text))
    assert (read.cord.quiet_seconds, read.http, read.limits.daily_loss_pct) == (60, None, Decimal(3))


def test_logs_lie_beside_the_desk_and_nothing_goes_unless_it_is_said(folder: Path) -> None:
    text = (
        "recorder: {megabytes: 64}\nlogs:\n  - {name: bot, path: logs/bot.log}\n  - {name: other, path: /var/o.log}\n"
    )
    read = load(desk(folder, DESK + text))
    assert [(log.name, log.path) for log in read.logs] == [
        ("bot", folder / "logs/bot.log"),
        ("other", Path("/var/o.log")),
    ]
    assert (read.recorder.minutes, read.recorder.megabytes) == (60, 64)
    assert (read.archive.keep_days, read.archive.megabytes) == (0, 0)


def test_the_hash_is_that_of_the_file(folder: Path) -> None:
    first, second = load(desk(folder)), load(desk(folder, DESK + "# a comment\n"))
    assert first.hash != second.hash
    assert replace(first, hash="") == replace(second, hash="")


def test_a_live_desk_reads_the_brokers_public_data(folder: Path) -> None:
    text = DESK.replace("simulated", "live").replace("http://127.0.0.1:4100/", "https://api.example.com")
    read = load(desk(folder, text.replace("cord: {quiet_seconds: 5}\n", "")))
    assert read.venues[0].data_url == "https://data.alpaca.markets"


def test_paper_keys_may_come_from_the_environment(folder: Path) -> None:
    text = DESK.replace("simulated", "paper").replace("http://127.0.0.1:4100/", "https://paper.example.com")
    read = load(desk(folder, text.replace("keys/sim1.json", "env").replace("quiet_seconds: 5", "quiet_seconds: 60")))
    assert read.venues[0].keys is None


def test_triggers_may_be_disarmed_or_tightened(folder: Path) -> None:
    told = "triggers:\n  drawdown: {armed: false}\n  connection-lost: {threshold: 2.5}\nlimits:"
    read = load(desk(folder, DESK.replace("limits:", told)))
    assert {spec.id: spec.says for spec in read.triggers} == {
        "connection-lost": "> 2.5 s",
        "daily-loss": "> 2.5 %",
        "error-rate": "> 10 errors/min",
    }


def test_outside_simulation_a_connection_is_not_lost_by_one_slow_answer(folder: Path) -> None:
    text = DESK.replace("simulated", "paper").replace("http:", "https:").replace("https: ", "http: ")
    text = text.replace("quiet_seconds: 5", "quiet_seconds: 60")
    text = text.replace("limits:", "triggers: {connection-lost: {threshold: 29}}\nlimits:")
    with pytest.raises(ConfigError, match="in paper mode at least 30 is expected"):
        load(desk(folder, text))


@pytest.mark.parametrize(
    ("was", "now", "line", "said"),
    [
        ("mode: simulated", "mode: yes", 2, "'yes' without quotes is a truth value to some readers"),
        ("mode: simulated", "mode: Simulated", 2, "one of simulated, paper, live is expected"),
        ("mode: simulated", "mode: simulated\nmode: live", 3, "'mode' stands here twice (first in line 2)"),
        ("desk: demo", "desk: demo-1", 1, "only a-z, 0-9 and _ are expected"),
        ("desk: demo", "desk: 17", 1, "'desk' of the file is 17; text (put it in quotes) is expected"),
        ("desk: demo", "desk:", 1, "'desk' of the file is empty; text is expected"),
        ("desk: demo\n", "", 1, "the file lacks 'desk'; text is expected"),
        ("desk: demo", "desk: !!str demo", 1, "the tag tag:yaml.org,2002:str is not used here"),
        ("desk: demo", "desk: &x demo", 1, "anchors and aliases are not used here"),
        ("desk: demo", "- demo", 2, "this is not YAML"),
        ("venues:", "venue:", 3, "no key 'venue'; did you mean 'venues'?"),
        ("limits:", "shoes: red\nlimits:", 16, "no key 'shoes'; one of desk, mode, "),
        ("    adapter: alpaca\n", "", 4, "venue 'sim1' lacks 'adapter'; one of alpaca is expected"),
        ("adapter: alpaca", "adapter: alpaka", 5, "'adapter' of venue 'sim1' is 'alpaka'; one of alpaca is expected"),
        ("    adapter:", "    adaptor:", 5, "a venue has no key 'adaptor'; did you mean 'adapter'?"),
        ("timeout: 2.5", "timeout: 1:30", 9, "'1:30' without quotes is a base-60 number"),
        ("timeout: 2.5", "timeout: 0x10", 9, "octal, hexadecimal or binary"),
        ("timeout: 2.5", "timeout: 010", 9, "octal, hexadecimal or binary"),
        ("timeout: 2.5", "timeout: 1_0", 9, "a number to some readers and text to others"),
        ("timeout: 2.5", "timeout: .inf", 9, "a number to some readers"),
        ("timeout: 2.5", "timeout: 2026-11-20", 9, "a date to some readers; quote it"),
        ("timeout: 2.5", "timeout: soon", 9, "'timeout' of venue 'sim1' is 'soon'; a number above 0 and up to 60"),
        ("timeout: 2.5", "timeout: 0", 9, "'timeout' of venue 'sim1' is 0; a number above 0 and up to 60"),
        ("timeout: 2.5", "timeout: true", 9, "'timeout' of venue 'sim1' is true; a number above 0 and up to 60"),
        ("http://127.0.0.1:4100/", "127.0.0.1:4100", 6, "a URL such as https://host is expected"),
        ("http://127.0.0.1:4100/", "http://a:99999/", 6, "a URL such as https://host is expected"),
        ("http://127.0.0.1:4100/", "http://me:secret@host", 6, "keys belong into the key file"),
        ("http://127.0.0.1:4100/", "htp://me:secret@host:x/", 6, "keys belong into the key file"),
        ("http://127.0.0.1:4100/", "http://host/?token=secret", 6, "has something behind its path"),
        ("mode: simulated", "mode: live", 6, "in live mode https:// is expected"),
        ("keys: keys/sim1.json", "keys: env", 7, "from the environment are for paper; a key file is expected"),
        ("keys: keys/sim1.json", "keys: none.json", 7, "none.json: the key file can not be read: No such file"),
        ("symbols: [AAPL, BTC/USD]", "symbols: AAPL", 13, "'symbols' of strategy 'momentum' is 'AAPL'; a list of"),
        ("symbols: [AAPL, BTC/USD]", "symbols: []", 13, "a list of texts, such as [AAPL, MSFT], is expected"),
        ("symbols: [AAPL, BTC/USD]", "symbols: [AAPL, ON]", 13, "'ON' without quotes is a truth value"),
        ("symbols: [AAPL, BTC/USD]", "symbols: [AAPL, AAPL]", 13, "'AAPL' stands twice"),
        ("symbols: [AAPL, BTC/USD]", "symbols: [aapl]", 13, "'aapl' of strategy 'momentum' is no symbol"),
        ("    venue: sim1", "    venue: sim2", 12, "'venue' of strategy 'momentum' is 'sim2'; one of sim1 is expected"),
        ("name: momentum", "name: my-momentum", 11, "only a-z, 0-9 and _ are expected"),
        ("{quiet_seconds: 5}", "{quiet_seconds: 5.5}", 17, "a whole number from 1 to 86400 is expected"),
        ("limits:", "triggers: {connection-lots: {}}\nlimits:", 16, "did you mean 'connection-lost'?"),
        ("limits:", "triggers: {price-anomaly: {}}\nlimits:", 16, "has no key 'price-anomaly'"),
        ("limits:", "triggers: {error-rate: {threshold: 11}}\nlimits:", 16, "a number above 0 and up to 10"),
        ("limits:", "triggers: {daily-loss: {threshold: 3}}\nlimits:", 16, "a number above 0 and up to 2.5"),
        ("limits:", "triggers: {drawdown: {armed: 0}}\nlimits:", 16, "'armed' of 'drawdown' is 0; true or false"),
        ("limits:", "triggers: {drawdown: {off: true}}\nlimits:", 16, "without quotes is a truth value"),
        ("{quiet_seconds: 5}", "5", 17, "'cord' is 5; a mapping (key: value) is expected"),
        ("daily_loss_pct: 2.5", "daily_loss_pct: 101", 16, "a number above 0 and up to 100 is expected"),
        ("{port: 0}", "{port: 70000}", 18, "a whole number from 0 to 65535 is expected"),
        ("limits:", "recorder: {minutes: 5}\nlimits:", 16, "a whole number from 10 to 10080 is expected"),
        ("limits:", "recorder: {hours: 1}\nlimits:", 16, "'recorder' has no key 'hours'"),
        ("limits:", "archive: {keep_days: 0}\nlimits:", 16, "a whole number from 1 to 36500 is expected"),
        ("limits:", "logs: [a.log]\nlimits:", 16, "a log is 'a.log'; a mapping (key: value) is expected"),
        ("limits:", "logs:\n  - name: a\nlimits:", 17, "a log lacks 'path'; text is expected"),
        ("limits:", "logs:\n  - {name: a b, path: x}\nlimits:", 17, "only a-z, 0-9 and _ are expected"),
        ("limits:", "logs: [{name: a, path: a.log}, {name: a, path: b.log}]\nlimits:", 16, "a second log is named 'a'"),
        ("http: {port: 0}", "http: {port: 0}\n---\ndesk: b", 19, "a second document begins"),
        ("http: {port: 0}", "http: {port: 0", 19, "this is not YAML"),
        ("http: {port: 0}", "\thttp: {port: 0}", 18, "a tab stands here"),
    ],
)
def test_what_is_wrong_is_refused_at_its_line(folder: Path, was: str, now: str, line: int, said: str) -> None:
    assert was in DESK
    told = refusal(folder, DESK.replace(was, now, 1))
    assert "secret" not in told
    assert re.match(rf"desk\.yaml:{line}:[1-9][0-9]*: ", told)
    assert said in told


def test_names_are_unique(folder: Path) -> None:
    venues, strategies = DESK.split("strategies:\n")
    venue = venues.split("venues:\n")[1]
    told = refusal(folder, f"{venues}{venue}strategies:\n{strategies}")
    assert told == "desk.yaml:10:11: a second venue is named 'sim1' (first in line 4); expected once"


def test_a_desk_without_venues_is_refused(folder: Path) -> None:
    assert "at least one under 'venues' is expected" in refusal(folder, "desk: a\nmode: paper\n")


def test_the_quiet_time_is_shorter_on_simulated_desks_only(folder: Path) -> None:
    text = DESK.replace("mode: simulated", "mode: paper").replace("http://127.0.0.1:4100/", "https://paper.example.com")
    assert refusal(folder, text) == ("desk.yaml:17:23: 'quiet_seconds' is 5; in paper mode at least 60 is expected")


def test_a_key_file_that_others_can_read_is_refused_with_what_mends_it(folder: Path) -> None:
    path = folder / "keys" / "sim1.json"
    path.chmod(0o644)
    told = refusal(folder, DESK)
    assert told.startswith("desk.yaml:7:11: keys of venue 'sim1': ")
    assert "644" in told
    assert "chmod o=" in told


def test_a_refusal_never_shows_a_key(folder: Path) -> None:
    (folder / "keys" / "sim1.json").write_text('{"key_id": "K", "secret_key": "SECRET"')
    assert "SECRET" not in refusal(folder, DESK)


@pytest.mark.parametrize("data", [b"desk: \xff\n", b"desk: demo\nmode: \xff\n"])
def test_bytes_that_are_not_text_are_refused_at_their_line(folder: Path, data: bytes) -> None:
    path = folder / "desk.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=f"desk.yaml:{data.count(bytes([10]))}:7: the file is not UTF-8 text"):
        load(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: the file can not be read: No such file or directory"):
        load(tmp_path / "none.yaml")


@given(st.text(max_size=200))
def test_any_text_is_either_understood_or_refused_with_a_line(text: str) -> None:
    try:
        parse(text, Path("x"))
    except YamlError as error:
        refused = error
    else:
        return
    assert refused.line >= 1
    assert refused.column >= 1
    assert "\n" not in refused.why


@pytest.mark.parametrize("plain", ["12", "-3", "0", "1.50", "true", "text", "null"])
def test_plain_values_keep_their_meaning(plain: str) -> None:
    expected = {"12": 12, "-3": -3, "0": 0, "1.50": Decimal("1.50"), "true": True, "text": "text", "null": None}
    assert parse(plain, Path("x")).value == expected[plain]


def test_quotes_make_text_of_everything() -> None:
    assert [node.value for node in parse("['yes', \"12\", '1:30']", Path("x")).value or []] == ["yes", "12", "1:30"]


# --- finding --------------------------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("ANDON_DESK", raising=False)
    monkeypatch.setattr(config, "_SYSTEM_DESKS", tmp_path / "etc")
    return tmp_path


def put(folder: Path, name: str, mode: str) -> Path:
    path = folder / name / "desk.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(f"desk: {name}\nmode: {mode}\n")
    return path


def test_without_any_desk_the_ways_to_one_are_named(places: Path) -> None:
    with pytest.raises(ConfigError, match="`andon demo` starts a simulated one, `andon init DIR` writes"):
        find()


def test_the_only_desk_needs_no_name(places: Path) -> None:
    demo = put(places / "state" / "andon", "demo", "simulated")
    assert find() == demo


def test_a_real_desk_goes_before_simulated_ones(places: Path) -> None:
    put(places / "state" / "andon", "demo", "simulated")
    main = put(places / "etc", "main", "live")
    assert find() == main
    put(places / "etc", "second", "paper")
    with pytest.raises(ConfigError, match=r"several desks: demo .*, main .*, second .*--desk NAME"):
        find()


def test_a_desk_is_found_by_name_by_path_and_by_environment(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = put(places / "state" / "andon", "demo", "simulated")
    main = put(places / "etc", "main", "live")
    assert (find("demo"), find("main")) == (demo, main)
    assert (find(str(main)), find(str(main.parent))) == (main, main)
    monkeypatch.setenv("ANDON_DESK", "demo")
    assert find() == demo
    here = put(places / "mine", "own", "paper")
    monkeypatch.chdir(places / "mine")
    assert find("own") == here


def test_a_place_that_is_not_ours_to_read_is_one_sentence(places: Path) -> None:
    put(places / "state" / "andon", "demo", "simulated")
    folder = places / "state" / "andon"
    folder.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        for told in ("", "demo"):
            with pytest.raises(ConfigError, match="can not be read; a desk is open to its owner and to its group"):
                find(told)
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


@pytest.mark.parametrize(("told", "said"), [("nobody", "no desk named 'nobody'"), ("./x.yaml", "no such desk file")])
def test_a_desk_that_is_not_there_is_one_sentence(places: Path, told: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        find(told)


def test_a_broken_file_still_tells_where_its_state_is(places: Path) -> None:
    path = places / "desk.yaml"
    path.write_text('desk: "demo"\nmode: simulated # yes\nstate: here\nvenues: [\n\t}')
    seen = glance(path)
    assert (seen.name, seen.mode, seen.state) == ("demo", "simulated", places / "here")


def test_a_glance_and_a_reading_agree(folder: Path) -> None:
    for text in (DESK, DESK + "state: elsewhere\n", DESK + "state: /var/x\n"):
        path = desk(folder, text)
        read, seen = load(path), glance(path)
        assert (seen.name, seen.mode, seen.state) == (read.name, read.mode, read.state)
