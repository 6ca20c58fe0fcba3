"""Logs that others write are followed line by line, whatever their writers do."""

import os
from pathlib import Path

import pytest

from console.evidence.logs import CUT, LONGEST_KEPT, LONGEST_LINE, POLL_BYTES, Logs
from console.evidence.redact import MARK, Redactor

PLAIN = Redactor()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


def follow(path: Path, **places: tuple[int, int, int]) -> Logs:
    return Logs([("a", str(path))], places)


def read(logs: Logs, redactor: Redactor = PLAIN) -> list[str]:
    told: list[str] = []
    more = True
    while more:
        rows, more = logs.poll(redactor)
        told += [row.text for row in rows]
    return told


def append(path: Path, data: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(data.encode() if isinstance(data, str) else data)


def test_new_lines_are_read_once_they_are_whole(path: Path) -> None:
    append(path, "before\n")
    logs = follow(path)
    assert read(logs) == []
    append(path, "one\r\ntwo\nthr")
    assert read(logs) == ["one", "two"]
    append(path, "ee\n")
    assert read(logs) == ["three"]


def test_a_file_that_comes_later_is_read_from_its_beginning(path: Path) -> None:
    logs = follow(path)
    assert read(logs) == []
    assert not logs.trouble
    append(path, "one\n")
    assert read(logs) == ["one"]


def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(path: Path) -> None:
    append(path, "")
    logs = follow(path)
    append(path, "one\n")
    assert read(logs) == ["one"]
    path.rename(path.with_suffix(".1"))
    append(path.with_suffix(".1"), "late\nunfinished")
    assert read(logs) == ["late"]
    append(path, "new\n")
    assert read(logs) == ["unfinished", "new"]


def test_a_truncated_file_is_read_from_its_beginning(path: Path) -> None:
    append(path, "")
    logs = follow(path)
    append(path, "one\ntwo\n")
    assert read(logs) == ["one", "two"]
    path.write_text("three\n")
    assert read(logs) == ["three"]


def test_the_next_process_goes_on_where_the_last_one_stopped(path: Path) -> None:
    append(path, "")
    logs = follow(path)
    append(path, "one\ntw")
    assert read(logs) == ["one"]
    places = logs.places
    append(path, "o\nthree\n")
    again = follow(path, **places)
    rows, _ = again.poll(PLAIN)
    assert [(row.line, row.text) for row in rows] == [(2, "two"), (3, "three")]
    path.rename(path.with_suffix(".1"))
    append(path, "rotated meanwhile\n")
    assert read(follow(path, **places)) == ["rotated meanwhile"]


def test_junk_and_endless_lines_are_cut_and_do_no_harm(path: Path) -> None:
    append(path, "")
    logs = follow(path)
    append(path, b"\x00\xff\xfe junk \x1b[31m\n" + b"x" * (LONGEST_LINE + 10))
    junk, endless = read(logs)
    assert "junk" in junk
    assert junk.isprintable()
    assert len(endless) == LONGEST_KEPT + len(CUT)
    append(path, b"y" * (3 * POLL_BYTES) + b"\nafter\n")
    assert read(logs) == ["after"]


def test_what_is_no_file_or_can_not_be_opened_is_said(path: Path) -> None:
    os.mkfifo(path)
    logs = follow(path)
    assert read(logs) == []
    assert logs.trouble == [f"{path}: it is no file"]
    path.unlink()
    append(path, "one\n")
    assert read(logs) == ["one"]
    assert not logs.trouble


def test_a_secret_is_blotted_before_a_line_is_cut_and_a_key_over_all_its_lines(path: Path) -> None:
    append(path, "")
    logs = follow(path)
    append(path, "x" * (LONGEST_KEPT - 3) + "topsecret\n")
    append(path, "-----BEGIN PRIVATE KEY-----\nMIIEvQ\nIBADAN\n-----END PRIVATE KEY-----\nafter\n")
    told = read(logs, Redactor(["topsecret"]))
    assert told[0].endswith("x" + MARK[:3] + CUT)
    assert told[1:] == [MARK, MARK, MARK, MARK, "after"]
