"""Zones in forms of their own, as a server makes and hands them out."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import dns.message
import pytest

from lzc.forms.where import FOLDER
from lzc.wire import tsig
from lzc.wire.name import from_text
from lzc.wire.tsig import TsigKey
from tests.patience import PATIENCE
from tests.unit.live_server import TSIG_NAME, TSIG_SECRET, LiveServer, Project

KEY = TsigKey(from_text(TSIG_NAME), "hmac-sha256", b64decode(TSIG_SECRET))
ZONE = "example.org"


def section(more: str = "", serve: str = "") -> str:
    return (
        f"[serve]\nflatten-interval = 1\n{serve}[lua]\nenable = true\ntime-limit = 0\n"
        f'[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:9"\ntsig = "{TSIG_NAME}"\n'
        f'software = "bind"\nflatten-client = "192.0.2.7"\nnotify = false\n{more}'
    )


def ask(server: LiveServer, kind: str = "SOA") -> dns.message.Message:
    """What the secondary gets over TCP; of a transfer the first message."""
    wire = dns.message.make_query(ZONE, kind, use_edns=False).to_wire()
    wire, _ = tsig.sign(wire, KEY, time.time())
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
        sock.sendall(len(wire).to_bytes(2, "big") + wire)
        octets = b""
        while len(octets) < 2 or len(octets) < 2 + int.from_bytes(octets[:2], "big"):
            octets += sock.recv(65536)
    found: dns.message.Message = dns.message.from_wire(octets[2:], keyring=False, xfr=True)
    return found


def form(server: LiveServer) -> dict[str, Any] | None:
    """What the server says of the form, once it is made."""
    [one] = server.control("status")["secondaries"]
    [found] = one["forms"]
    return found if found["serial"] else None


def made(server: LiveServer) -> dict[str, Any]:
    found: dict[str, Any] = server.wait_for(lambda: form(server))
    return found


def publisher(server: LiveServer) -> dict[str, Any]:
    found: dict[str, Any] = server.control("status")["publisher"]
    return found


@pytest.mark.parametrize("signed", [False, True])
def test_a_server_makes_what_a_secondary_gets(tmp_path: Path, signed: bool) -> None:
    project = Project(tmp_path, section())
    text = 'who LUA TXT "who:toString()"\n'
    project.build({ZONE: text}, serial=7, signed=[ZONE] if signed else [])
    with LiveServer(project, workers=2) as server:
        found = made(server)
        assert (found["form"], found["client"], found["serial"]) == ("flattened", "192.0.2.7", 7)
        assert found["why"] == "bind does not run LUA records"
        said = ask(server, "AXFR").to_text()
        assert 'TXT "192.0.2.7"' in said
        assert "TYPE65402" not in said
        assert ("RRSIG" in said) == signed
        project.build({ZONE: text + "a A 192.0.2.1\n"}, serial=8, signed=[ZONE] if signed else [])
        assert server.control("reload")["ok"]
        server.wait_for(lambda: made(server)["serial"] == 8)
        assert "192.0.2.1" in ask(server, "AXFR").to_text()
        # Who asks with no key has the zone itself.
        assert server.answers(ZONE, "SOA")[0].split()[2] == "8"


def test_a_publisher_that_dies_is_replaced_and_lost_forms_are_made_anew(tmp_path: Path) -> None:
    project = Project(tmp_path, section())
    project.build({ZONE: "l LUA A \"'192.0.2.1'\"\n"}, serial=7)
    with LiveServer(project) as server:
        made(server)
        pid = publisher(server)["pid"]
        os.kill(pid, signal.SIGKILL)
        server.wait_for(lambda: publisher(server)["pid"] not in (0, pid))
        assert publisher(server)["restarts"] == 1
        assert server.logged("the publisher of forms (SIGKILL) died; starting another")
        assert ask(server).answer[0][0].serial == 7
        shutil.rmtree(project.output / FOLDER)
        server.wait_for(lambda: made(server)["serial"] == 8)
        server.wait_for(lambda: ask(server).rcode() == 0)
        assert ask(server).answer[0][0].serial == 8


def test_without_publish_nothing_is_made_and_nothing_else_handed_out(tmp_path: Path) -> None:
    project = Project(tmp_path, section(serve="publish = false\n"))
    project.build({ZONE: "l LUA A \"'192.0.2.1'\"\n"}, serial=7)
    with LiveServer(project) as server:
        [one] = server.control("status")["secondaries"]
        assert one["forms"][0]["serial"] == 0
        assert publisher(server)["pid"] == 0
        for kind in ("SOA", "AXFR", "IXFR"):
            assert ask(server, kind).rcode() in (1, 2)
            assert not ask(server, kind).answer
        server.wait_for(lambda: server.logged("that it gets is not made yet"))


def test_a_secondary_that_is_powerdns_needs_no_publisher(tmp_path: Path) -> None:
    project = Project(tmp_path, section().replace('"bind"', '"powerdns-5.1"'))
    project.build({ZONE: "l LUA A \"'192.0.2.1'\"\n"}, serial=7)
    with LiveServer(project) as server:
        assert "TYPE65402" in ask(server, "AXFR").to_text()
        assert not publisher(server)["wanted"]
        # Another setting, and it is flattened.
        text = project.config.read_text()
        project.config.write_text(text.replace("powerdns-5.1", "knot"))
        server.control("reload")
        assert made(server)["form"] == "flattened"
        assert "TYPE65402" not in ask(server, "AXFR").to_text()
