"""A resolver that hangs, for real: in a mount namespace whose only name server never answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.broker import ROOT

SILENT = "127.0.0.99"
HUNG = f"""
import socket, sys, threading, time
from console.cord.http import NotSent, Wire
hosts = sys.argv[1]
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("{SILENT}", 53))
listening = socket.create_server(("127.0.0.1", 0))
port = listening.getsockname()[1]

def wire(host):
    return Wire(host, port, tls=False, deadline=time.monotonic() + 1)

wire("known.example").close()
open(hosts, "w").close()
plain = threading.Thread(target=lambda: socket.getaddrinfo("stranger.example", port), daemon=True)
plain.start()
time.sleep(0.1)
try:
    wire("stranger.example")
except NotSent as failure:
    print(failure, plain.is_alive())
wire("known.example").close()
print("remembered", plain.is_alive())
"""


def test_a_resolver_that_hangs_holds_nobody_beyond_the_deadline_and_what_it_once_said_is_remembered(
    tmp_path: Path,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("port 53 can not be had here")
    (tmp_path / "hosts").write_text("127.0.0.1 known.example\n")
    (tmp_path / "resolv.conf").write_text(f"nameserver {SILENT}\noptions timeout:30 attempts:1\n")
    mounts = f"mount --bind {tmp_path}/hosts /etc/hosts && mount --bind {tmp_path}/resolv.conf /etc/resolv.conf"
    own = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$0" "$@"']
    if subprocess.run([*own, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespace can be had here")
    command = [*own, sys.executable, "-c", HUNG, str(tmp_path / "hosts")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines() == ["looking up its address: no answer in time True", "remembered True"], (
        done.stderr
    )
