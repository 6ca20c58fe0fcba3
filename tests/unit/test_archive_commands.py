"""`andon archive verify` and `export`: on the desk's own machine and far from it."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from console.cli import main
from console.evidence.manifest import MANIFEST, read_manifest
from tests.support.archives import Made, make_archive
from tests.support.broker import ROOT

ONE, OTHER = "INC-2026-0001", "INC-2026-0002"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_archive(tmp_path_factory.mktemp("kept") / "archive", incidents=2, events=80)


@pytest.fixture
def made(kept: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A desk that has its archive, its journal, and its key beside desk.yaml."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    desk = tmp_path / "andon" / "demo"
    shutil.copytree(kept.folder, desk / "archive")
    (desk / "desk.yaml").write_text(f"desk: demo\nmode: simulated\nstate: {desk}\n")
    for name in ("signing.key", "signing.pub"):
        shutil.copy2(kept.folder.parent / name, desk / name)
    kept.write_journal(desk / "journal")
    return Made(desk / "archive", kept.signer, kept.heads, kept.records, kept.journal)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["archive", *words])
    told = capsys.readouterr()
    return code, told.out + told.err


def test_the_desks_own_archive_is_verified_by_its_key_and_its_journal(
    capsys: pytest.CaptureFixture[str], made: Made
) -> None:
    code, out = run(capsys, "verify")
    assert code == 0
    assert [line.split("  ")[0] for line in out.splitlines()] == [ONE, OTHER]
    assert f"verified, signed by {made.signer.fingerprint}; the last seal is 3 (closed) of 2026-03-16T14:32:07Z" in out
    told = json.loads(run(capsys, "verify", ONE, "--json")[1])
    assert (told["verified"], told["incidents"][0]["seals"], told["incidents"][0]["findings"]) == (True, 3, [])


def test_what_the_journal_tells_of_and_the_archive_does_not_hold_is_found(
    capsys: pytest.CaptureFixture[str], made: Made
) -> None:
    manifest = read_manifest(made.folder / ONE)
    for item in manifest.of_seal(3):
        (made.folder / ONE / item.file).unlink()
    lines = (made.folder / ONE / MANIFEST).read_bytes().splitlines(keepends=True)
    (made.folder / ONE / MANIFEST).unlink()
    (made.folder / ONE / MANIFEST).write_bytes(b"".join(lines[: manifest.heads[1].seq]))
    shutil.rmtree(made.folder / OTHER)
    code, out = run(capsys, "verify")
    assert code == 1
    assert "seal 3 (closed), which the journal tells of at 2026-03-16T14:32:07Z, is not here" in out
    assert f"{OTHER}: the journal tells of 3 seals, and there is no such folder" in out


def test_without_a_key_nothing_is_called_verified(
    capsys: pytest.CaptureFixture[str], made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = shutil.copytree(made.folder, tmp_path / "elsewhere")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no desk"))
    code, out = run(capsys, "verify", str(elsewhere))
    assert code == 4
    assert out.count(f"consistent, signer not known: {made.signer.fingerprint}") == 2
    assert "verified" not in out
    assert run(capsys, "verify", str(elsewhere / ONE), "--key", made.signer.fingerprint)[0] == 0
    key = made.folder.parent / "signing.pub"
    assert run(capsys, "verify", str(elsewhere / ONE), "--key", str(key))[0] == 0


def test_another_desks_evidence_is_not_broken_but_unknown(
    capsys: pytest.CaptureFixture[str], made: Made, tmp_path: Path
) -> None:
    make_archive(tmp_path / "theirs" / "archive", events=40)
    code, out = run(capsys, "verify", str(tmp_path / "theirs" / "archive"))
    assert (code, "consistent, signer not known" in out) == (4, True)
    code, out = run(capsys, "verify", str(tmp_path / "theirs" / "archive"), "--key", made.signer.fingerprint)
    assert (code, "broken" in out) == (1, True)
    assert run(capsys, "verify", "theirs/archive", "--key", str(tmp_path / "theirs" / "signing.pub"))[0] == 0
    shutil.rmtree(made.folder / ONE)
    shutil.move(tmp_path / "theirs" / "archive" / ONE, made.folder / ONE)
    assert run(capsys, "verify", ONE)[0] == 1


def test_an_export_is_one_file_that_proves_itself_anywhere(
    capsys: pytest.CaptureFixture[str], made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out = run(capsys, "export", ONE)
    path = tmp_path / f"{ONE}.tar.zst"
    assert code == 0
    assert out.startswith(f"{path}  ")
    told = json.loads(run(capsys, "export", ONE, "-o", "again.tar.zst", "--json")[1])
    again = Path(told["file"])
    assert told["bytes"] == again.stat().st_size
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()
    assert run(capsys, "verify", str(path))[0] == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no desk"))
    assert run(capsys, "verify", str(path))[0] == 4
    assert run(capsys, "verify", str(path), "--key", made.signer.fingerprint)[0] == 0


def test_an_export_overwrites_nothing_and_leaves_out_what_is_not_sealed(
    capsys: pytest.CaptureFixture[str], made: Made, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    code, out = run(capsys, "export", ONE, "-o", "mine")
    assert (code, (tmp_path / "mine").read_text()) == (2, "mine")
    assert "it is there already, and nothing is overwritten" in out
    (made.folder / ONE / "notes.txt").write_text("not sealed")
    assert run(capsys, "export", ONE)[0] == 0
    assert run(capsys, "verify", f"{ONE}.tar.zst")[0] == 0
    (made.folder / ONE / "001-quotes.parquet").unlink()
    code, out = run(capsys, "export", ONE, "-o", "broken.tar.zst")
    assert (code, "not exported: " in out) == (1, True)
    (made.folder / ONE / "001-orders.parquet").chmod(0o640)
    with (made.folder / OTHER / "002-screen.txt").open("r+b") as file:
        file.truncate(3)
    code, out = run(capsys, "export", OTHER)
    assert (code, "002-screen.txt: it has 3 bytes" in out) == (1, True)
    assert not [path for path in tmp_path.iterdir() if "broken" in path.name or OTHER in path.name]


def packed(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> None:
    with (
        pa.CompressedOutputStream(path, "zstd") as out,
        tarfile.open(fileobj=out, mode="w|") as tar,
    ):
        for entry, data in entries:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def bad_entries() -> Iterator[tuple[str, tarfile.TarInfo]]:
    for name in ("../out", "/tmp/out", f"{ONE}/../../out", f"{ONE}/sub/{MANIFEST}", "out", f"{ONE}/", f"x/{MANIFEST}"):
        yield name, tarfile.TarInfo(name)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        entry = tarfile.TarInfo(f"{ONE}/{MANIFEST}")
        entry.type, entry.linkname = kind, "/etc/passwd"
        yield f"type {kind!r}", entry


@pytest.mark.parametrize("entry", [pytest.param(entry, id=name) for name, entry in bad_entries()])
def test_nothing_in_an_exported_file_gets_out_of_its_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, entry: tarfile.TarInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no desk"))
    path = tmp_path / "evil.tar.zst"
    packed(path, (entry, b""))
    code, out = run(capsys, "verify", str(path))
    assert (code, "has no place in an exported incident" in out) == (1, True)


@pytest.mark.parametrize("data", [b"", b"no zstd", b"\x28\xb5\x2f\xfd" + bytes(50)])
def test_what_is_no_export_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no desk"))
    path = tmp_path / "some.tar.zst"
    path.write_bytes(data)
    code, out = run(capsys, "verify", str(path))
    assert (code, out.count("\n") > 0) == (1, True)
    assert "it is not an exported incident, or not whole" in out or "it is empty" in out


def test_an_export_cut_anywhere_is_found(capsys: pytest.CaptureFixture[str], made: Made, tmp_path: Path) -> None:
    run(capsys, "export", ONE)
    whole = (tmp_path / f"{ONE}.tar.zst").read_bytes()
    for share in (0.1, 0.5, 0.99):
        (tmp_path / "cut.tar.zst").write_bytes(whole[: int(len(whole) * share)])
        assert run(capsys, "verify", "cut.tar.zst")[0] == 1, share


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify", "nowhere"], "nowhere: it can not be read: No such file"),
        (["verify", "INC-2026-0099"], "there is no such incident"),
        (["verify", "."], "there is no sealed incident"),
        (["verify", ONE, "--key", "nobody"], "nobody: neither a fingerprint (SHA256:…) nor a file"),
        (["export", "INC-2026-0099"], "nothing is sealed of INC-2026-0099"),
        (["export", "../x"], "is no incident's number"),
        (["export", ONE, "-o", "no/such/folder/x"], "it can not be written: No such file"),
    ],
)
@pytest.mark.usefixtures("made")
def test_wrong_use_is_one_sentence_and_exit_2(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    code, out = run(capsys, *words)
    assert (code, out.count("\n")) == (2, 1)
    assert said in out


def test_a_desk_whose_key_is_gone_does_not_know_its_signer(capsys: pytest.CaptureFixture[str], made: Made) -> None:
    (made.folder.parent / "signing.pub").unlink()
    code, out = run(capsys, "verify", ONE)
    assert (code, "consistent, signer not known" in out) == (4, True)


def test_the_documented_shell_commands_prove_a_folder_and_find_a_change(made: Made) -> None:
    page = (ROOT / "docs" / "archive.md").read_text()
    script = page.partition("```sh\n")[2].partition("```")[0]
    environment = {**os.environ, "KEY": str(made.folder.parent / "signing.pub")}

    def told() -> str:
        command = ["/bin/sh", "-c", script.replace("/tmp/", f"{made.folder.parent}/")]
        done = subprocess.run(
            command, cwd=made.folder / ONE, env=environment, capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    said = told().splitlines()
    assert said == ["Signature Verified Successfully", f"{made.signer.fingerprint.removeprefix('SHA256:')}="]
    path = made.folder / ONE / "002-screen.txt"
    path.chmod(0o640)
    path.write_text("changed")
    assert "002-screen.txt: FAILED" in told()
    manifest = made.folder / ONE / MANIFEST
    manifest.chmod(0o640)
    manifest.write_bytes(manifest.read_bytes().replace(b'"by":"ana"', b'"by":"bob"', 1))
    assert told().count("BROKEN") == 1
