"""What a running server has counted, over all its workers, and over their deaths."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from lzc.serve.ipc.scoreboard import BY_INSTRUCTIONS
from tests.patience import PATIENCE
from tests.unit.live_server import UNHURRIED, LiveServer, Project

ZONE = """\
www A 192.0.2.1
www AAAA 2001:db8::1
big TXT "{big}" "{big}" "{big}"
hashed LUA A "pickhashed({{'192.0.2.1','192.0.2.2'}})"
code LUA A ";local n = 0 for i = 1, 50 do n = n + i end return '192.0.2.' .. n % 10"
raises LUA A "error('no')"
unread LUA A ";local n = 'no' return n .. ' address'"
""".format(big="x" * 250)

TELLS = """
from dataclasses import asdict
from lzc.serve.observe.totals import TotalsReader
from lzc.serve.supervise.commands import Commands

before = Commands.by_name
readers = []

def by_name(self):
    async def totals(_request):
        if not readers:
            readers.append(TotalsReader([one.slot for one in self.reloader.workers]))
        found = asdict(readers[0].read())
        for name in ("queries", "answers", "answer_octets"):
            found[name] = [[*key, count] for key, count in found[name].items()]
        return {"ok": True, **found}
    return {**before(self), "totals": totals}

Commands.by_name = by_name
"""
"""Has the server tell its totals."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    project = Project(tmp_path, UNHURRIED)
    project.build({"example.org": ZONE, "other.example": ZONE}, signed=["other.example"])
    listen = ["127.0.0.1:0", "[::1]:0"]
    with LiveServer(project, workers=2, listen=listen, inject=TELLS) as running:
        yield running


class Client:
    """Asks over all transports and families, and counts by itself."""

    def __init__(self, server: LiveServer) -> None:
        ports = [int(one.rpartition(":")[2]) for one in server.control("status")["listen"]]
        self.where = {"4": ("127.0.0.1", ports[0]), "6": ("::1", ports[1])}
        self.queries: Counter[tuple[str, str, str]] = Counter()
        self.answers: Counter[tuple[str, str]] = Counter()
        self.octets: Counter[tuple[str, str]] = Counter()
        self.asked = 0

    def ask(self, transport: str, family: str, name: str, qtype: str, **options: Any) -> None:
        self.asked += 1
        query = dns.message.make_query(name, qtype, **options)
        query.id = self.asked & 0xFFFF
        host, port = self.where[family]
        send = dns.query.udp if transport == "udp" else dns.query.tcp
        answer = send(query, host, port=port, timeout=PATIENCE)
        self.queries[transport, family, qtype if qtype != "HINFO" else "other"] += 1
        self.answers[transport, dns.rcode.to_text(answer.rcode())] += 1
        assert answer.wire is not None
        self.octets[transport, family] += len(answer.wire)


def keyed(rows: list[list[Any]]) -> dict[tuple[str, ...], int]:
    return {tuple(row[:-1]): row[-1] for row in rows if row[-1]}


def totals(server: LiveServer, queries: int) -> dict[str, Any]:
    """What the server says once so many queries are published."""

    def known() -> dict[str, Any] | None:
        found = server.control("totals")
        counters = found["counters"]
        # A worker writes these last, and they are read after the others.
        last = counters["queries_udp"] + counters["queries_tcp"]
        return found if sum(row[-1] for row in found["queries"]) == last >= queries else None

    found: dict[str, Any] = server.wait_for(known)
    return found


def workers(server: LiveServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.control("status")["workers"]
    return found


def alive_again(server: LiveServer, deaths: int) -> bool:
    """Whether all workers are there, after so many deaths."""
    now = workers(server)
    return all(one["ready"] for one in now) and sum(one["restarts"] for one in now) == deaths


def test_totals_are_exact(server: LiveServer) -> None:
    client = Client(server)
    for transport in ("udp", "tcp"):
        for family in ("4", "6"):
            for name, qtype, times in (
                ("www.example.org", "A", 7),
                ("www.example.org", "AAAA", 3),
                ("www.example.org", "HINFO", 2),
                ("none.example.org", "A", 4),
                ("example.org", "SOA", 2),
                ("example.net", "A", 2),
                ("hashed.example.org", "A", 5),
                ("code.example.org", "A", 3),
                ("raises.example.org", "A", 2),
                ("big.example.org", "TXT", 3),
                ("www.other.example", "A", 3),
            ):
                for _ in range(times):
                    client.ask(transport, family, name, qtype)
            client.ask(transport, family, "www.other.example", "A", want_dnssec=True)
            cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"8 octets")
            client.ask(transport, family, "www.example.org", "A", options=[cookie])
            client.ask(transport, family, "www.example.org", "A", use_edns=1)
    found = totals(server, client.asked)
    assert keyed(found["queries"]) == dict(client.queries)
    assert keyed(found["answers"]) == dict(client.answers)
    assert keyed(found["answer_octets"]) == dict(client.octets)
    assert {("udp", "BADVERS"), ("tcp", "SERVFAIL")} <= set(client.answers)
    for transport in ("udp", "tcp"):
        answered = sum(row[-1] for row in found["answers"] if row[0] == transport)
        sizes, latency = found["sizes"][transport], found["latency"][transport]
        assert sum(sizes["counts"]) == sum(latency["counts"]) == answered
        assert sizes["sum"] == client.octets[transport, "4"] + client.octets[transport, "6"]
        # Those of 750 octets over TCP, and over UDP truncated.
        assert bool(sizes["counts"][sizes["bounds"].index(1024)]) == (transport == "tcp")
        assert latency["sum"] > 0
    counters = found["counters"]
    assert counters == server.control("status")["totals"]
    assert counters["do_queries"] == counters["cookie_queries"] == 4
    assert counters["do_queries_tcp"] == counters["cookie_queries_tcp"] == 2
    assert counters["cache_hits"] + counters["cache_misses"] == counters["queries_udp"]
    assert counters["cache_hits"] and counters["cache_entries"]
    assert (counters["lua"], counters["lua_runtime"], counters["lua_errors"]) == (20, 8, 8)
    assert counters["lua_plans"] == 20
    assert counters["signatures_made"] and counters["signatures_us"]
    zone = found["lua_zones"]["example.org."]
    assert (zone["executions"], zone["failures"]) == (20, 8)
    assert counters["lua_us"] - 2 <= sum(one["cpu"] for one in found["lua_zones"].values())
    # The first executions of each code are counted, in each of both workers.
    assert 0 < counters["lua_counted"] <= 20
    assert counters["lua_counted_sum"] == zone["instructions"]
    assert sum(counters[name] for name in BY_INSTRUCTIONS) == counters["lua_counted"]
    assert zone["most"] == 109, "a loop of fifty"


def test_what_is_no_query_is_counted(server: LiveServer) -> None:
    client = Client(server)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(client.where["4"])
    sock.settimeout(PATIENCE)
    broken = dns.message.make_query("www.example.org", "A").to_wire()
    with sock:
        sock.send(broken[:20])
        assert sock.recv(512)[3] & 15 == dns.rcode.FORMERR
        sock.send(b"short")
        sock.send(broken)
        sock.recv(512)
    found = totals(server, 3)
    assert keyed(found["queries"]) == {("udp", "4", "A"): 1, ("udp", "4", "other"): 2}
    assert keyed(found["answers"]) == {("udp", "NOERROR"): 1, ("udp", "FORMERR"): 1}
    assert (found["counters"]["malformed"], found["counters"]["silent"]) == (2, 1)


def test_results_that_are_no_rdata_are_failures_of_their_zone(server: LiveServer) -> None:
    client = Client(server)
    for transport in ("udp", "tcp"):
        client.ask(transport, "4", "unread.example.org", "A")
    found = totals(server, client.asked)
    assert keyed(found["answers"]) == {("udp", "SERVFAIL"): 1, ("tcp", "SERVFAIL"): 1}
    assert found["counters"]["lua_result"] == found["counters"]["lua_errors"] == 2
    zone = found["lua_zones"]["example.org."]
    assert (zone["executions"], zone["failures"]) == (2, 2)


def test_no_total_falls_when_workers_die_and_nothing_is_counted_twice(server: LiveServer) -> None:
    client = Client(server)
    for turn in range(3):
        for name in ("www", "code", "hashed", "raises"):
            for _ in range(5):
                client.ask("udp", "4", f"{name}.example.org", "A")
            client.ask("tcp", "6", f"{name}.example.org", "A")
        before = totals(server, client.asked)
        for one in workers(server):
            os.kill(one["pid"], signal.SIGKILL)
        server.wait_for(lambda deaths=2 * (turn + 1): alive_again(server, deaths))  # type: ignore[misc]
        after = server.control("totals")
        for name in ("queries", "answers", "answer_octets"):
            assert after[name] == before[name]
        for zone, numbers in before["lua_zones"].items():
            # What is, rather than how often it was, has died with them.
            assert after["lua_zones"][zone] == numbers | {"most": 0}
        assert keyed(after["queries"]) == dict(client.queries)
        assert keyed(after["answers"]) == dict(client.answers)
        for name, number in before["counters"].items():
            assert after["counters"][name] >= number or name == "cache_entries", name
    assert after["counters"]["lua"] == after["lua_zones"]["example.org."]["executions"] == 36


def test_a_reload_goes_on_counting(server: LiveServer) -> None:
    client = Client(server)
    for serial in (2, 3):
        for name in ("www", "code", "hashed", "unread"):
            for _ in range(4):
                client.ask("udp", "4", f"{name}.example.org", "A")
        server.project.build({"example.org": ZONE, "other.example": ZONE}, serial=serial)
        assert server.control("reload")["ok"]
    client.ask("tcp", "4", "example.org", "SOA")
    found = totals(server, client.asked)
    assert keyed(found["queries"]) == dict(client.queries)
    assert keyed(found["answers"]) == dict(client.answers)
    assert found["counters"]["lua"] == 16
    assert found["counters"]["lua_result"] == 8
    assert found["counters"]["lua_plans"] == 8
