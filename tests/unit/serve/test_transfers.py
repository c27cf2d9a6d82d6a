"""Transfers and refusals: counted beside the secondary, and said once in plain words."""

from __future__ import annotations

import base64
import logging
import os
import re
import signal
import socket
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring
import pytest

from lzc.answer.refusal import Reason
from lzc.answer.transfer_kinds import Kind, Sent
from lzc.config import SecondarySection
from lzc.serve.observe.transfer_report import (
    ASKED,
    BROKEN_OFF,
    DONE,
    MOST,
    MOST_DONE,
    Event,
    TransferReport,
)
from lzc.serve.observe.transfer_watch import STRANGERS, TransferWatch
from lzc.serve.observe.zone_transfers import MOST as MOST_ZONES
from lzc.serve.observe.zone_transfers import Measure, ZoneTable
from lzc.wire import name as wire_name
from lzc.wire import rrtype, tsig
from lzc.wire.message import find_tsig
from lzc.wire.tsig import TsigKey
from tests.patience import PATIENCE
from tests.unit.live_server import TSIG_NAME, TSIG_SECRET, LiveServer, Project

KEY = wire_name.from_text("transfer.example.")
OTHER = wire_name.from_text("other.example.")
ORG = wire_name.from_text("example.org.")
COM = wire_name.from_text("example.com.")
NS2, NS3 = bytes((192, 0, 2, 2)), bytes((192, 0, 2, 3))
AWAY = bytes((203, 0, 113, 9))


def section(name: str, host: str, key: str, **more: Any) -> SecondarySection:
    return SecondarySection(name=name, address=f"{host}:53", tsig=key, **more)


class Watched:
    """A watch with a clock of the test's own, told by a worker's report."""

    def __init__(self, *sections: SecondarySection) -> None:
        self.now = 1_800_000_000.0
        self.sections = sections or (
            section("ns2", "192.0.2.2", "transfer.example.", software="powerdns-5.1"),
            section("ns3", "192.0.2.3", "other.example.", zones=["*.org"]),
        )
        self.sent: list[tuple[str, bytes, int, str, bool]] = []
        self.watch = TransferWatch(
            self.sections, lambda *about: self.sent.append(about), lambda: self.now
        )

    def tell(
        self,
        what: str,
        client: bytes,
        key: bytes,
        apex: bytes = ORG,
        measure: Measure | None = None,
        **more: Any,
    ) -> None:
        report = TransferReport()
        report.note(Event(what, client, rrtype.AXFR, apex, key, **more), measure)
        message = report.take()
        assert message is not None
        self.watch.take(message)

    def of(self, number: int) -> dict[str, Any]:
        return self.watch.status_of(self.sections[number])


def test_a_transfer_counts_beside_its_secondary_and_is_passed_on() -> None:
    watched = Watched()
    watched.tell(DONE, NS2, KEY, serial=7, kind=Kind.IXFR.value)
    assert watched.of(0)["done"] == 1
    assert watched.of(0)["last"] == {
        "zone": "example.org.",
        "serial": 7,
        "kind": "IXFR",
        "at": watched.now,
    }
    assert watched.of(1)["done"] == 0
    assert watched.sent == [("ns2", ORG, 7, "", True)]


def test_whose_transfer_it_was_is_uncertain_where_two_share_address_and_key() -> None:
    both = [section(name, "192.0.2.2", "transfer.example.") for name in ("ns2", "ns3")]
    watched = Watched(*both)
    watched.tell(DONE, NS2, KEY, serial=7)
    assert watched.sent == [("ns2", ORG, 7, "", False), ("ns3", ORG, 7, "", False)]


def test_what_was_sent_is_counted_by_its_kind_and_nothing_is_no_transfer() -> None:
    watched = Watched()
    for kind in (Kind.AXFR, Kind.IXFR, Kind.IXFR, Kind.WHOLE, Kind.UP_TO_DATE):
        watched.tell(DONE, NS2, KEY, serial=7, kind=kind.value)
    status = watched.of(0)
    assert status["done"] == 4
    assert status["refused"] == {}
    assert status["kinds"] == {"AXFR": 1, "IXFR": 2, "IXFR-as-AXFR": 1, "up-to-date": 1}
    assert watched.watch.counts.done == {
        ("example.org.", "ns2", "AXFR", DONE): 1,
        ("example.org.", "ns2", "IXFR", DONE): 2,
        ("example.org.", "ns2", "IXFR-as-AXFR", DONE): 1,
        ("example.org.", "ns2", "up-to-date", DONE): 1,
    }


def test_who_polls_by_ixfr_and_is_up_to_date_takes_nothing_again_and_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched()
    report = TransferReport()
    for _ in range(50):
        report.sent(Sent(Kind.UP_TO_DATE, NS2, rrtype.IXFR, ORG, KEY, 7, False))
    message = report.take()
    assert message is not None
    watched.watch.take(message)
    assert watched.of(0)["kinds"] == {"up-to-date": 50}
    assert watched.of(0)["hint"] == ""
    assert watched.of(0)["last"] is None
    assert caplog.records == []


@pytest.mark.parametrize(
    ("software", "lua", "named"),
    [
        ("powerdns-5.1", True, True),
        ("powerdns-5.1", False, False),
        ("powerdns-5.0", True, False),
        ("generic", True, True),
        ("bind", True, False),
    ],
)
def test_with_a_transfer_goes_the_setting_without_which_it_is_refused(
    software: str, lua: bool, named: bool
) -> None:
    watched = Watched(section("ns2", "192.0.2.2", "transfer.example.", software=software))
    watched.tell(DONE, NS2, KEY, serial=7, lua=lua)
    [(*_, hint, _)] = watched.sent
    assert ("enable-lua-record-updates=yes" in hint) is named


@pytest.mark.parametrize(
    ("what", "client", "key", "more", "words"),
    [
        (Reason.ADDRESS, AWAY, KEY, {}, "no [[secondary]] with it has this address"),
        (Reason.NO_KEY, NS2, b"", {}, "without TSIG"),
        (Reason.UNKNOWN_KEY, NS2, OTHER, {}, "key other.example. is not in lzc.toml"),
        (Reason.BAD_SIGNATURE, NS2, KEY, {}, "key transfer.example. has another secret there"),
        (Reason.BAD_TIME, NS2, KEY, {"ahead": 900}, "its clock is 900 s ahead of ours"),
        (Reason.BAD_TIME, NS2, KEY, {"ahead": -900}, "its clock is 900 s behind ours"),
        (Reason.MALFORMED_TSIG, NS2, KEY, {}, "malformed"),
        (Reason.NOT_ITS_ZONE, NS2, KEY, {}, "does not list example.org."),
        (Reason.NO_ZONE, NS2, KEY, {}, "no zone example.org. here"),
        (Reason.NO_ROOM, NS2, KEY, {}, "too many transfers"),
    ],
)
def test_every_reason_is_a_line_and_a_count(
    what: Reason,
    client: bytes,
    key: bytes,
    more: dict[str, Any],
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched()
    for _ in range(3):
        watched.tell(what.value, client, key, **more)
    assert watched.of(0)["refused"] == {what.value: 3}
    assert words in watched.of(0)["last_refusal"]["why"]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    line = record.getMessage()
    assert "AXFR of example.org." in line
    assert "secondary ns2" in line
    assert words in line
    watched.now += 61
    watched.tell(what.value, client, key, **more)
    assert "(2 more like it before)" in caplog.records[-1].getMessage()


def test_one_that_gives_up_is_counted_too() -> None:
    watched = Watched()
    watched.tell(BROKEN_OFF, NS2, KEY, serial=7)
    assert watched.of(0)["refused"] == {"broken-off": 1}


def test_who_is_no_secondary_is_told_apart() -> None:
    """Also where he names the key of one, with a signature that is wrong."""
    watched = Watched()
    watched.tell(Reason.BAD_SIGNATURE.value, AWAY, KEY)
    assert watched.of(0)["refused"] == {}
    [stranger] = watched.watch.strangers()
    assert stranger["address"] == "203.0.113.9"
    assert stranger["refused"] == {"bad-signature": 1}


def test_secondaries_with_one_address_are_told_apart_by_key_and_zone() -> None:
    watched = Watched(
        section("a", "192.0.2.2", "transfer.example.", zones=["*.com"]),
        section("b", "192.0.2.2", "transfer.example.", zones=["*.org"]),
        section("c", "192.0.2.2", "other.example."),
    )
    watched.tell(DONE, NS2, KEY, ORG, serial=7)
    assert [watched.of(number)["done"] for number in range(3)] == [0, 1, 0]


def test_strangers_fill_neither_memory_nor_the_log(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()
    report = TransferReport()
    for number in range(5000):
        client = (0xC6120000 + number).to_bytes(4, "big")
        report.note(Event(Reason.UNKNOWN_KEY.value, client, rrtype.SOA, ORG, OTHER))
        if number % 150 == 149:
            message = report.take()
            assert message is not None
            assert len(message["events"]) == MOST
            watched.watch.take(message)
    assert len(watched.watch.strangers()) == STRANGERS
    assert len(caplog.records) <= 21


def test_a_serial_that_is_taken_again_and_again_has_a_hint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """PowerDNS refuses zones with LUA records from 5.1 on, after it has transferred them."""
    watched = Watched()
    for number in range(20):
        watched.now += 3
        watched.tell(DONE, NS2, KEY, serial=7, lua=True)
        assert bool(watched.of(0)["hint"]) is (number >= 3)
    assert "enable-lua-record-updates=yes" in watched.of(0)["hint"]
    [record] = caplog.records
    assert "secondary ns2 (192.0.2.2:53): takes example.org. serial 7 again and again" in (
        record.getMessage()
    )
    watched.now += 3601
    assert watched.of(0)["hint"] == ""


def test_new_serials_and_other_software_have_no_such_hint() -> None:
    watched = Watched()
    for serial in range(20):
        watched.tell(DONE, NS2, KEY, serial=serial, lua=True)
        watched.tell(DONE, NS3, OTHER, serial=7)
    assert watched.of(0)["hint"] == ""
    assert "enable-lua" not in watched.of(1)["hint"]
    assert "its log says why" in watched.of(1)["hint"]


def test_the_last_transfer_of_each_zone_is_known_and_why_the_last_one_was_not_done() -> None:
    watched = Watched()
    took = Measure("tcp", 0.25, 4711, 12)
    watched.tell(DONE, NS2, KEY, serial=7, measure=took)
    watched.now += 60
    watched.tell(Reason.NOT_ITS_ZONE.value, NS2, KEY, COM)
    watched.tell(BROKEN_OFF, NS2, KEY, serial=8)
    table = watched.watch.table_of(watched.sections[0])
    org, com = table.of(ORG), table.of(COM)
    assert org is not None
    assert com is not None
    assert org.to_document(watched.now) == {
        "last": {
            "serial": 7,
            "at": watched.now - 60,
            "kind": "AXFR",
            "transport": "tcp",
            "seconds": 0.25,
            "octets": 4711,
            "records": 12,
        },
        "last_refusal": {
            "at": watched.now,
            "why": "serial 8 was given up before its end: its log says why",
        },
        "repeats": 0,
        "hint": "",
        "asked": watched.now - 60,
    }
    assert com.to_document(watched.now)["last"] is None
    assert "does not list example.com." in com.error
    assert watched.watch.table_of(watched.sections[1]).of(ORG) is None
    assert watched.watch.counts.octets == {("ns2", "tcp"): 4711}


def test_of_more_zones_those_heard_of_last_are_known() -> None:
    table = ZoneTable()
    for number in range(MOST_ZONES):
        table.touch(b"%d" % number)
    table.touch(b"0")
    table.touch(b"new")
    assert len(table.zones) == MOST_ZONES
    assert table.of(b"0") is not None
    assert table.of(b"1") is None


@pytest.mark.parametrize("ahead", [600, -600])
@pytest.mark.parametrize("asked", ["SOA", "SOA over TCP", "AXFR", "IXFR"])
def test_a_client_whose_clock_is_off_is_told_our_time_and_we_are_told_of_it(
    asked: str, ahead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8945 §5.2.3: signed at the client's time, with ours in Other Data."""
    project = Project(
        tmp_path,
        f'[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:1"\ntsig = "{TSIG_NAME}"\n'
        "notify = false\n",
    )
    project.build({"example.org": ""}, serial=7)
    ring = dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET})
    kind = asked.partition(" ")[0]
    query = dns.message.make_query("example.org", kind)
    if kind == "IXFR":
        soa = dns.rrset.from_text("example.org.", 0, "IN", "SOA", "ns1. h. 6 1 1 1 1")
        query.authority.append(soa)
    query.use_tsig(ring, TSIG_NAME)
    with LiveServer(project) as server:
        with monkeypatch.context() as patched:
            off = SimpleNamespace(time=lambda: time.time() + ahead)
            patched.setattr(dns.message, "time", off)
            before = int(time.time())
            wire = query.to_wire()
            if asked == "SOA":
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                    udp.settimeout(PATIENCE)
                    udp.sendto(wire, ("127.0.0.1", server.port))
                    answer = udp.recv(4096)
            else:
                with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as tcp:
                    tcp.sendall(len(wire).to_bytes(2, "big") + wire)
                    answer = tcp.recv(65536)[2:]
            after = int(time.time())
            with pytest.raises(dns.tsig.PeerBadTime):
                dns.message.from_wire(answer, keyring=ring, request_mac=query.mac)
        assert answer[3] & 15 == dns.rcode.NOTAUTH
        rr = tsig.read(answer, find_tsig(answer))
        assert query.tsig is not None
        assert (rr.error, rr.time_signed) == (tsig.BADTIME, query.tsig[0].time_signed)
        assert before <= int.from_bytes(rr.other, "big") <= after
        # Its MAC is right, so that it can be believed.
        key = TsigKey(rr.name, "hmac-sha256", base64.b64decode(TSIG_SECRET))
        assert query.mac is not None
        checked = tsig.verify_response(answer, key, query.mac, rr.time_signed)
        assert checked.error == tsig.BADTIME
        reason = server.wait_for(
            lambda: server.control("status")["secondaries"][0]["transfers"]["last_refusal"]
        )
        assert reason["reason"] == "bad-time"
        where = "ahead of" if ahead > 0 else "behind"
        line = re.search(rf"its clock is (\d+) s {where} ours", reason["why"])
        assert line is not None and abs(int(line[1]) - 600) <= 1 + after - before
        assert "set both by NTP" in reason["why"]
        words = f"{where} ours, and 300 s are allowed: set both by NTP"
        server.wait_for(lambda: server.logged(words))
        whom = "example.org. to secondary ns2 (127.0.0.1): "
        assert server.logged(f"refused: {what(kind)} of {whom}")
        metrics = server.control("metrics")["text"]
        labels = f'kind="{kind}",reason="bad-time",secondary="ns2"'
        assert f"lzc_transfer_refusals_total{{{labels}}} 1" in metrics
        assert 'lzc_tsig_failures_total{reason="bad-time",secondary="ns2"} 1' in metrics


def what(kind: str) -> str:
    return "query for the SOA" if kind == "SOA" else kind


def test_who_asks_whether_a_zone_changed_is_known_to_have_and_no_more() -> None:
    watched = Watched()
    report = TransferReport()
    for _ in range(3):
        report.sent(Sent(Kind.SOA, NS2, rrtype.SOA, ORG, KEY, 7, True))
    message = report.take()
    assert message is not None and report.take() is None
    watched.watch.take(message)
    table = watched.watch.table_of(watched.sections[0])
    found = table.of(ORG)
    assert found is not None
    assert found.to_document(watched.now)["asked"] == watched.now
    assert (found.at, found.to_document(watched.now)["last"]) == (0.0, None)
    # It is neither a transfer nor a refusal, and nothing to save.
    assert watched.of(0)["done"] == 0 and watched.of(0)["refused"] == {}
    assert (watched.watch.counts.done, watched.watch.counts.refused) == ({}, {})
    assert (watched.sent, watched.watch.told) == ([], 0)
    # A key of ours in the hands of somebody at another address means who has it.
    assert watched.watch.strangers() == []
    watched.now += 60
    watched.tell(DONE, NS2, KEY, serial=7, kind=Kind.UP_TO_DATE.value)
    assert found.asked == watched.now
    assert found.to_document(watched.now)["last"] is None
    watched.now += 60
    watched.tell(Reason.NOT_ITS_ZONE.value, NS2, KEY)
    watched.now += 60
    watched.tell(DONE, NS2, KEY, COM, serial=7, kind=Kind.IXFR.value)
    com = table.of(COM)
    assert com is not None and com.asked == watched.now
    assert table.zones[ORG].asked == watched.now - 120


def test_queries_have_a_bound_and_leave_refusals_their_room() -> None:
    report = TransferReport()
    for number in range(MOST_DONE + 5):
        report.sent(Sent(Kind.SOA, NS2, rrtype.SOA, b"%d" % number, KEY, 7, True))
    report.note(Event(Reason.NO_KEY.value, AWAY, rrtype.AXFR, ORG, b""))
    message = report.take()
    assert message is not None
    kinds = Counter(one[0] for one in message["events"])
    assert kinds == {ASKED: MOST_DONE, Reason.NO_KEY.value: 1}
    table = ZoneTable()
    for number in range(MOST_ZONES):
        table.touch(b"%d" % number).at = 1.0
    table.ask(b"new", 2.0)
    table.ask(b"0", 2.0)
    assert table.of(b"new") is None
    assert len(table.zones) == MOST_ZONES and table.zones[b"0"].asked == 2.0


def test_a_server_knows_when_it_was_asked_for_an_soa_with_a_key(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        f'[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:1"\ntsig = "{TSIG_NAME}"\n',
    )
    project.build({"example.org": "", "example.com": ""})
    ring = dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET})

    def asked(server: LiveServer) -> list[bool]:
        [one] = server.control("secondaries", name="ns2")["secondaries"]
        states = sorted(one["states"], key=lambda state: str(state["zone"]))
        return [state["asked"] is not None for state in states]

    with LiveServer(project) as server:
        # Without TSIG, for another type, for a name below: none of them counts.
        for name, qtype, signed in (
            ("example.org", "SOA", False),
            ("example.org", "NS", True),
            ("ns1.example.org", "SOA", True),
            ("example.com", "SOA", True),
        ):
            query = dns.message.make_query(name, qtype)
            if signed:
                query.use_tsig(ring, TSIG_NAME)
            dns.query.udp(query, "127.0.0.1", port=server.port, timeout=PATIENCE)
        server.wait_for(lambda: any(asked(server)))
        assert asked(server) == [True, False]
        query = dns.message.make_query("example.org", "SOA")
        query.use_tsig(ring, TSIG_NAME)
        dns.query.tcp(query, "127.0.0.1", port=server.port, timeout=PATIENCE)
        server.wait_for(lambda: all(asked(server)))
        metrics = server.control("metrics")["text"]
        for zone in ("example.org.", "example.com."):
            labels = f'secondary="ns2",zone="{zone}"'
            name = "lzc_secondary_zone_asked_timestamp_seconds"
            [line] = [one for one in metrics.splitlines() if one.startswith(f"{name}{{{labels}}}")]
            assert float(line.split()[1]) > 1.7e9


def test_zones_that_are_taken_again_and_again_are_counted_until_that_ends() -> None:
    watched = Watched(section("ns2", "192.0.2.2", "transfer.example.", software="bind"))

    def repeating() -> int:
        return int(watched.of(0)["repeating"])

    for _ in range(4):
        assert repeating() == 0
        watched.tell(DONE, NS2, KEY, serial=7)
        watched.now += 60
    assert repeating() == 1
    table = watched.watch.table_of(watched.sections[0])
    zone = table.of(ORG)
    assert zone is not None
    assert (zone.times, "max-records-per-type 0" in zone.hint) == (4, True)
    watched.tell(DONE, NS2, KEY, serial=8)
    assert repeating() == 0
    for _ in range(4):
        watched.tell(DONE, NS2, KEY, serial=8)
    assert repeating() == 1
    watched.now += 3601
    assert repeating() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_tells_who_got_what_and_who_did_not(tmp_path: Path, workers: int) -> None:
    project = Project(
        tmp_path,
        f'[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:1"\ntsig = "{TSIG_NAME}"\n'
        'zones = ["example.org"]\nnotify = false\n',
    )
    project.build({"example.org": "", "example.com": ""}, serial=7)
    name = wire_name.from_text(TSIG_NAME)
    good = TsigKey(name, "hmac-sha256", base64.b64decode(TSIG_SECRET))
    bad = TsigKey(name, "hmac-sha256", bytes(16))
    unknown = TsigKey(OTHER, "hmac-sha256", bytes(16))

    with LiveServer(project, workers=workers) as server:

        def ask(zone: str, kind: str, key: TsigKey | None, ahead: float = 0.0) -> int:
            wire = dns.message.make_query(zone, kind, use_edns=False).to_wire()
            if key is not None:
                wire, _ = tsig.sign(wire, key, time.time() + ahead)
            if kind == "SOA":
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                    udp.settimeout(PATIENCE)
                    udp.sendto(wire, ("127.0.0.1", server.port))
                    return udp.recv(4096)[3] & 15
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as tcp:
                tcp.sendall(len(wire).to_bytes(2, "big") + wire)
                return tcp.recv(65536)[5] & 15

        assert ask("example.org", "AXFR", good) == dns.rcode.NOERROR
        assert ask("example.com", "AXFR", good) == dns.rcode.REFUSED
        assert ask("example.org", "AXFR", None) == dns.rcode.REFUSED
        assert ask("example.org", "AXFR", bad) == dns.rcode.NOTAUTH
        assert ask("example.org", "SOA", unknown) == dns.rcode.NOTAUTH
        assert ask("example.org", "SOA", good, 5000) == dns.rcode.NOTAUTH
        assert ask("example.net", "SOA", good) == dns.rcode.REFUSED
        expected = dict.fromkeys(
            ("not-its-zone", "no-key", "bad-signature", "unknown-key", "bad-time", "no-zone"), 1
        )

        def told() -> dict[str, Any] | None:
            found: dict[str, Any] = server.control("status")["secondaries"][0]["transfers"]
            return found if sum(found["refused"].values()) == 6 and found["done"] else None

        transfers = server.wait_for(told)
        assert transfers["refused"] == expected
        assert transfers["done"] == 1
        assert transfers["last"]["serial"] == 7
        assert server.logged("its clock is 5000 s ahead of ours")
        assert server.logged("key transfer.example. has another secret there")

        def zone_there() -> dict[str, Any]:
            [one] = server.control("secondaries", name="ns2", zone="EXAMPLE.org")["secondaries"]
            [state] = one["states"]
            found: dict[str, Any] = state
            return found

        state = zone_there()
        last = state["last"]
        assert (last["serial"], last["kind"], last["transport"]) == (7, "AXFR", "tcp")
        assert (last["records"], last["octets"] > 150, last["seconds"] >= 0) == (4, True, True)
        # Of several workers, who tells last is chance.
        whys = "ahead of ours", "is not in lzc.toml", "another secret there", "without TSIG"
        assert any(why in state["last_refusal"]["why"] for why in whys)
        assert (state["repeats"], state["expires_in"], "serial" in state) == (0, None, False)
        # The supervisor has it, whatever becomes of workers.
        for one in server.control("status")["workers"]:
            os.kill(one["pid"], signal.SIGKILL)
        server.wait_for(
            lambda: all(
                one["restarts"] and one["ready"] for one in server.control("status")["workers"]
            )
        )
        assert zone_there()["last"] == last
        refused = server.control("secondaries", name="ns9")
        assert (refused["ok"], refused["error"]) == (False, "no [[secondary]] is called ns9")
        refused = server.control("secondaries", zone="example.net")
        assert refused["error"] == "there is no zone example.net. here"
        found = server.control("metrics")["text"]
        assert 'lzc_transfer_octets_total{secondary="ns2",transport="tcp"} ' in found
        assert 'lzc_secondary_last_transfer_timestamp_seconds{secondary="ns2"} ' not in found, (
            "no NOTIFY"
        )
