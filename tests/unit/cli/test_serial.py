"""``lzc serial plan``: a serial goes where no single step leads, and no secondary stays behind."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lzc.bundle import current
from lzc.wire import message, rrtype, tsig
from lzc.wire.compose import compose
from lzc.wire.message import RRset, parse_query
from lzc.wire.tsig import TsigKey
from lzc.zone.serial import greater
from tests.unit.command_line import lzc
from tests.unit.compiling import HEAD, wire
from tests.unit.live_server import TSIG_NAME, TSIG_SECRET

KEY = TsigKey(wire(TSIG_NAME), "hmac-sha256", base64.b64decode(TSIG_SECRET))
APEX = wire("example.org")
CONFIG = f"""
[build]
sources = ["zones/*.zone"]
serial = "increment"
[tsig."{TSIG_NAME}"]
algorithm = "hmac-sha256"
secret = "{TSIG_SECRET}"
"""


class SerialHolder:
    """A secondary that answers with the serial it has, over UDP and TCP, signed; with ``rcode`` it
    refuses, and over UDP it says nothing where it is ``deaf``."""

    def __init__(self) -> None:
        self.serial = 0
        self.rcode = 0
        self.deaf = False
        self.asked: list[str] = []
        while True:
            self.tcp = socket.create_server(("127.0.0.1", 0))
            self.port = int(self.tcp.getsockname()[1])
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.udp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                # Somebody else's UDP port.
                self.tcp.close()
                self.udp.close()
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _serve_udp(self) -> None:
        while True:
            try:
                query, client = self.udp.recvfrom(4096)
            except OSError:
                return
            self.asked.append("udp")
            if query and not self.deaf:
                self.udp.sendto(self._answer(query), client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection:
                query = connection.recv(65535)[2:]
                self.asked.append("tcp")
                answer = self._answer(query)
                connection.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, query: bytes) -> bytes:
        asked = parse_query(query)
        checked = tsig.verify_request(asked, {KEY.name: KEY}, time.time())
        numbers = (self.serial, 1, 1, 1, 1)
        rdata = APEX + APEX + b"".join(number.to_bytes(4, "big") for number in numbers)
        answer = [] if self.rcode else [RRset(APEX, rrtype.SOA, 60, (rdata,))]
        flags = message.QR | message.AA | self.rcode
        wire = compose(asked.id, flags, asked.question, answer)
        return tsig.sign(wire, KEY, time.time(), checked.mac)[0]

    def close(self) -> None:
        """End both threads, too: a socket that is shut down wakes who waits at it."""
        for sock in (self.udp, self.tcp):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def take(self, serial: int) -> None:
        """Take a zone with this serial, as one does who goes by RFC 1982 and gets it offered."""
        if greater(serial, self.serial):
            self.serial = serial


@pytest.fixture
def holder() -> Iterator[SerialHolder]:
    made = SerialHolder()
    yield made
    made.close()


class Zone:
    """A project of one zone, with its secondaries."""

    def __init__(self, folder: Path, serial: int, *ports: int) -> None:
        self.folder = folder
        (folder / "zones").mkdir()
        self.text = HEAD.replace(" 5 3600", f" {serial} 3600")
        self.write("")
        (folder / "lzc.toml").write_text(CONFIG + "".join(map(self._section, ports)))
        self.build()

    def _section(self, port: int) -> str:
        return (
            f'[[secondary]]\nname = "ns{port}"\naddress = "127.0.0.1:{port}"\n'
            f'tsig = "{TSIG_NAME}"\n'
        )

    def write(self, more: str) -> None:
        (self.folder / "zones/example.org.zone").write_text(self.text + more)

    def policy(self, policy: str) -> None:
        path = self.folder / "lzc.toml"
        path.write_text(path.read_text().replace('serial = "increment"', f'serial = "{policy}"'))

    def build(self) -> None:
        result = lzc(self.folder, "build")
        assert result.exit_code == 0, result.output

    @property
    def serial(self) -> int:
        with current.open_live(self.folder / "build") as bundle:
            view = bundle.zone(APEX)
            assert view is not None
            return view.info.serial

    def plan(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The exit code, and what was said to scripts."""
        result = lzc(self.folder, "serial", "plan", "example.org", "--format", "json", *arguments)
        return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("start", [4000000000, 4294967295, 2**31, 2099010100])
def test_it_leads_a_mistake_to_a_date_and_never_leaves_the_secondary_behind(
    tmp_path: Path, holder: SerialHolder, start: int
) -> None:
    zone = Zone(tmp_path, start, holder.port)
    holder.serial = start
    zone.policy("date")
    zone.write("new A 192.0.2.9\n")
    refused = lzc(zone.folder, "build")
    assert refused.exit_code == 1
    assert "lzc serial plan example.org --apply" in refused.stderr
    taken = []
    for _ in range(4):
        code, told = zone.plan("--apply")
        if code == 0:
            break
        assert code == 3
        [serial] = told["taken"]
        assert zone.serial == serial
        assert greater(serial, holder.serial)
        taken.append(serial)
        # Again at once: nobody goes on without the secondary, and nothing is built.
        code, told = zone.plan("--apply")
        assert (code, told["taken"], told["bundle"]) == (3, [], None)
        assert told["secondaries"][0]["holds"]
        # What changes meanwhile counts on, and does not end the way.
        zone.write(f"new A 192.0.2.{10 + len(taken)}\n")
        zone.build()
        assert zone.serial == (serial + 1) % 2**32
        holder.take(zone.serial)
        assert holder.serial == zone.serial
    code, told = zone.plan()
    assert (code, told["done"], told["steps"], told["next"]) == (0, True, [], "")
    assert len(taken) == (1 if greater(told["goal"], start) else 2)
    assert time.strftime("%Y%m%d", time.gmtime()) == str(zone.serial)[:8]
    zone.write("last A 192.0.2.99\n")
    zone.build()
    assert greater(zone.serial, holder.serial)
    assert time.strftime("%Y%m%d", time.gmtime()) == str(zone.serial)[:8]


def test_who_cannot_be_asked_holds_it_back_until_somebody_has_seen_it(
    tmp_path: Path, holder: SerialHolder
) -> None:
    zone = Zone(tmp_path, 4000000000, holder.port)
    holder.rcode = message.REFUSED
    code, told = zone.plan("--to", "3000000000", "--apply")
    assert (code, told["taken"]) == (3, [])
    [one] = told["secondaries"]
    assert one["problem"].startswith("answered REFUSED, to the query for the SOA")
    name = f"ns{holder.port}"
    code, told = zone.plan("--to", "3000000000", "--apply", "--seen", name)
    assert (code, len(told["taken"])) == (3, 1), "for one step"
    result = lzc(zone.folder, "serial", "plan", "example.org")
    assert result.exit_code == 3
    assert f"secondary   {name} (127.0.0.1:{holder.port}): HOLDS IT BACK: answered" in result.stdout
    again = "lzc serial plan example.org --to 3000000000 --apply"
    assert f"next        once {name} has {zone.serial}: {again}" in result.stdout
    result = lzc(zone.folder, "serial", "plan", "example.org", "--seen", "ns9")
    assert (result.exit_code, "no [[secondary]] is called ns9" in result.stderr) == (2, True)


def test_it_is_asked_over_tcp_where_udp_brings_nothing(
    tmp_path: Path, holder: SerialHolder
) -> None:
    zone = Zone(tmp_path, 5, holder.port)
    holder.serial, holder.deaf = 5, True
    _, told = zone.plan("--to", "9")
    assert [one["transport"] for one in told["secondaries"]] == ["tcp"]
    assert told["secondaries"][0]["serial"] == 5
    assert holder.asked[-1] == "tcp"


def test_a_secondary_that_is_ahead_is_taken_along(tmp_path: Path, holder: SerialHolder) -> None:
    """As after a serial that was a mistake, and is forgotten here."""
    zone = Zone(tmp_path, 2026010100, holder.port)
    holder.serial = 4000000000
    code, told = zone.plan("--to", "date", "--apply")
    while code == 3:
        assert len(told["taken"]) == 1
        holder.take(zone.serial)
        code, told = zone.plan("--to", "date", "--apply")
    assert (code, holder.serial) == (0, zone.serial)
    assert time.strftime("%Y%m%d00", time.gmtime()) == str(zone.serial)


def test_with_wait_it_takes_every_step_by_itself(tmp_path: Path, holder: SerialHolder) -> None:
    zone = Zone(tmp_path, 4000000000, holder.port)
    holder.serial = zone.serial
    ended = threading.Event()

    def follow() -> None:
        while not ended.is_set():
            holder.take(zone.serial)
            time.sleep(0.05)

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        code, told = zone.plan("--to", "3000000000", "--apply", "--wait", "10m")
    finally:
        ended.set()
        follower.join()
    assert (code, told["done"], len(told["taken"])) == (0, True, 2)
    assert holder.serial == zone.serial == 3000000000


def test_without_secondaries_it_takes_one_step_a_run(tmp_path: Path) -> None:
    zone = Zone(tmp_path, 4000000000)
    result = lzc(zone.folder, "serial", "plan", "example.org", "--to", "3000000000", "--apply")
    assert result.exit_code == 3
    assert "secondary   none is configured that gets the zone" in result.stdout
    assert "once all who have the zone have its serial: " in result.stdout
    code, told = zone.plan("--apply")
    assert (code, told["done"], zone.serial) == (0, True, 3000000000)


def test_serials_of_the_source_are_shown_and_left_to_the_source(tmp_path: Path) -> None:
    zone = Zone(tmp_path, 4000000000)
    zone.policy("keep")
    result = lzc(zone.folder, "serial", "plan", "example.org")
    assert (result.exit_code, "say with --to which serial" in result.stderr) == (
        1,
        True,
    )
    code, told = zone.plan("--to", "3000000000")
    assert code == 3
    while told["steps"]:
        first = told["steps"][0]
        assert (
            f"set the serial of the SOA record in zones/example.org.zone to {first}" in told["next"]
        )
        assert (
            lzc(
                zone.folder, "serial", "plan", "example.org", "--to", "3000000000", "--apply"
            ).exit_code
            == 1
        )
        zone.text = zone.text.replace(f" {zone.serial} 3600", f" {first} 3600")
        zone.write("")
        zone.build()
        code, told = zone.plan("--to", "3000000000")
    assert (code, zone.serial) == (0, 3000000000)


@pytest.mark.parametrize("target", ["keep", "-1", "4294967296", "x"])
def test_what_is_no_target_is_wrong_usage(tmp_path: Path, target: str) -> None:
    zone = Zone(tmp_path, 5)
    result = lzc(zone.folder, "serial", "plan", "example.org", f"--to={target}")
    assert (result.exit_code, target in result.stderr) == (2, True)
    assert lzc(zone.folder, "serial", "plan", "example.net").exit_code == 2


def test_a_build_warns_long_before_serials_end(tmp_path: Path) -> None:
    zone = Zone(tmp_path, 4294967290)
    for _ in range(2):
        # The second one has nothing to build, and says it all the same.
        result = lzc(zone.folder, "build")
        assert "the serial of example.org is 4294967290: 5 more" in result.stderr
        assert "[serial-near-end]" in result.stderr
        assert "lzc serial plan example.org" in result.stderr
