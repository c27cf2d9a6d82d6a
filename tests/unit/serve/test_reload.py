"""Changing the bundle of a running server."""

from __future__ import annotations

import functools
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import dns.tsigkeyring
import pytest

from lzc.bundle import current
from lzc.wire.cookie import check as check_cookie
from tests.patience import PATIENCE
from tests.unit.command_line import lzc
from tests.unit.live_server import (
    TSIG_NAME,
    TSIG_SECRET,
    LiveServer,
    Project,
    query_wire,
    udp_socket,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    project = Project(tmp_path)
    project.build({"example.org": "www A 192.0.2.1\n"})
    with LiveServer(project, workers=2) as running:
        yield running


def wait_for_answer(server: LiveServer, address: str) -> None:
    server.wait_for(lambda: server.answers("www.example.org") == [address])


def test_a_new_bundle_is_served_as_soon_as_it_is_current(server: LiveServer) -> None:
    server.answers("www.example.org")  # into the cache, which must not outlive the bundle
    identity = server.project.build({"example.org": "www A 192.0.2.2\n"}, serial=2)
    server.wait_for(lambda: server.control("status")["bundle"] == identity)
    assert server.answers("www.example.org") == ["192.0.2.2"]
    assert server.answers("www.example.org", tcp=True) == ["192.0.2.2"]
    assert {one["bundle"] for one in server.control("status")["workers"]} == {identity}


def test_ctl_reload_switches_at_once(server: LiveServer) -> None:
    identity = server.project.build({"example.org": "www A 192.0.2.3\n"}, serial=3)
    assert server.control("reload")["bundle"] == identity
    assert server.answers("www.example.org") == ["192.0.2.3"]


def test_hangup_switches_too(server: LiveServer) -> None:
    server.project.build({"example.org": "www A 192.0.2.4\n"}, serial=4)
    server.hang_up()
    wait_for_answer(server, "192.0.2.4")


def damage(project: Project, folder: Path) -> str:
    """Make another bundle current, one octet of which was changed."""
    elsewhere = Project(folder)
    identity = elsewhere.build({"example.org": "www A 192.0.2.66\n"}, serial=66)
    shutil.copytree(elsewhere.output / identity, project.output / identity)
    file = project.output / identity / "zones-00.lmdb"
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    current.switch(project.output, identity)
    return identity


def test_a_damaged_bundle_is_refused_and_the_old_one_kept(
    server: LiveServer, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    identity = damage(server.project, tmp_path / "other")
    server.wait_for(lambda: server.control("status")["refused"])
    assert "damaged" in server.control("status")["refused"]["why"]
    assert server.logged("BUNDLE REFUSED")
    assert server.answers("www.example.org") == ["192.0.2.1"]

    answer = server.control("reload")
    assert not answer["ok"]
    assert identity in answer["error"]

    server.project.build({"example.org": "www A 192.0.2.5\n"}, serial=5)
    wait_for_answer(server, "192.0.2.5")
    assert server.control("status")["refused"] is None


def test_a_bundle_whose_keys_are_missing_is_refused(server: LiveServer) -> None:
    project = server.project
    zones = {"example.org": "www A 192.0.2.6\n"}
    project.build(zones, serial=6, signed=["example.org"])
    shutil.move(project.folder / "keys", project.folder / "away")
    refused = server.control("reload")
    assert not refused["ok"]
    assert "key" in refused["error"]
    assert server.answers("www.example.org") == ["192.0.2.1"]
    shutil.move(project.folder / "away", project.folder / "keys")
    assert server.control("reload")["ok"]
    assert server.answers("www.example.org") == ["192.0.2.6"]


def cookie(server: LiveServer) -> bytes:
    """The COOKIE option of an answer to a client whose cookie is eight zeros."""
    asked = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, bytes(8))
    (got,) = server.ask("www.example.org", use_edns=0, options=[asked]).options
    return got.to_wire() or b""


def test_a_reload_reads_the_cookie_secret_anew(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\ncookie-secret-file = "cookie"\n')
    project.build({"example.org": "www A 192.0.2.1\n"})
    before, after = bytes(16), bytes(range(16))
    secret = tmp_path / "cookie"
    secret.touch(0o600)
    secret.write_text(before.hex())
    with LiveServer(project) as server:
        good = functools.partial(check_cookie, address=b"\x7f\0\0\1", now=time.time())
        assert good(cookie(server), before)
        secret.write_text("no secret")
        assert "is not 32 hexadecimal digits" in server.control("reload")["error"]
        assert good(cookie(server), before)
        secret.write_text(after.hex())
        secret.chmod(0o644)
        assert "is open to other users" in server.control("reload")["error"]
        assert good(cookie(server), before)
        secret.chmod(0o640)
        assert server.control("reload")["ok"]
        assert good(cookie(server), after)


def test_without_a_cookie_secret_a_reload_keeps_the_random_one(server: LiveServer) -> None:
    mine = cookie(server)
    asked = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, mine)
    assert server.control("reload")["ok"]
    (got,) = server.ask("www.example.org", use_edns=0, options=[asked]).options
    assert got.to_wire() == mine


class Client(threading.Thread):
    """Asks one query after the other, and counts those that stay without an answer."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._sock = udp_socket(port)
        self._sock.settimeout(PATIENCE)
        self.stopped = threading.Event()
        self.asked = 0
        self.lost = 0
        self.seen: set[str] = set()

    def run(self) -> None:
        while not self.stopped.is_set():
            self.asked += 1
            self._sock.send(query_wire("www.example.org", ident=self.asked & 0xFFFF))
            try:
                answer = dns.message.from_wire(self._sock.recv(4096))
            except TimeoutError:
                self.lost += 1
                continue
            self.seen.update(str(rdata) for rdata in answer.answer[0])
        self._sock.close()


def test_reloads_under_load_lose_no_query(server: LiveServer) -> None:
    clients = [Client(server.port) for _ in range(3)]
    for client in clients:
        client.start()
    for serial in range(10, 16):
        server.project.build({"example.org": f"www A 192.0.2.{serial}\n"}, serial=serial)
        assert server.control("reload")["ok"]
    for client in clients:
        client.stopped.set()
        client.join()
    assert sum(client.lost for client in clients) == 0
    assert sum(client.asked for client in clients) > 100
    assert "192.0.2.15" in set.union(*(client.seen for client in clients))


def test_a_transfer_under_way_ends_with_the_zone_it_began_with(tmp_path: Path) -> None:
    project = Project(tmp_path)
    # Large enough that it cannot wait in the buffers between server and client.
    many = "".join(f'n{number} TXT "{"x" * 200}"\n' for number in range(60_000))
    project.build({"example.org": many})
    query = dns.message.make_query("example.org", "AXFR")
    query.use_tsig(dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET}), TSIG_NAME)
    wire = query.to_wire()
    with LiveServer(project) as server, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", server.port))
        sock.sendall(len(wire).to_bytes(2, "big") + wire)
        first = sock.recv(4096)
        project.build({"example.org": "www A 192.0.2.9\n"}, serial=9)
        assert server.control("reload")["changed"]
        assert server.answers("www.example.org") == ["192.0.2.9"]
        sock.shutdown(socket.SHUT_WR)
        received = bytearray(first)
        while chunk := sock.recv(1 << 20):
            received += chunk
    assert received.count(b"x" * 200) == 60_000


def test_serials_that_fall_are_told_until_they_have_risen(server: LiveServer) -> None:
    older = current.live(server.project.output).name
    server.project.build({"example.org": "www A 192.0.2.2\n"}, serial=2)
    assert server.control("reload")["fallen"]["count"] == 0
    current.switch(server.project.output, older)
    wait_for_answer(server, "192.0.2.1")
    server.wait_for(lambda: server.control("status")["fallen"]["count"])
    fallen = server.control("status")["fallen"]
    assert fallen["zones"] == [{"zone": "example.org.", "serial": 1, "served_before": 2}]
    assert "lzc build" in fallen["why"]
    assert server.logged("SERIALS FELL")
    server.project.build({"example.org": "www A 192.0.2.3\n"}, serial=3)
    assert server.control("reload")["fallen"]["count"] == 0
    assert server.control("status")["fallen"]["count"] == 0


def test_a_serial_that_is_near_its_end_is_a_line_with_what_to_do(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        f'[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:9"\ntsig = "{TSIG_NAME}"\n'
        "notify = false\n",
    )
    project.build({"example.org": "", "example.com": ""}, serial=2**32 - 11)
    with LiveServer(project) as server:
        lines = lzc(tmp_path, "ctl", "status").stdout.splitlines()
        assert [line for line in lines if line.startswith("SERIAL ENDS")] == [
            f"SERIAL ENDS {zone}. has 4294967285, 10 below the last one: lzc serial plan {zone}"
            for zone in ("example.com", "example.org")
        ]
        # One whose steps were taken is told no longer.
        project.build({"example.org": "", "example.com": ""}, serial=5)
        assert server.control("reload")["changed"]
        assert "SERIAL ENDS" not in lzc(tmp_path, "ctl", "status").stdout
