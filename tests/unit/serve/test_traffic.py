"""What workers count: of queries and answers, of the packet cache, of zones; and what is read."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.answer.planned import Choice
from lzc.serve.ipc import traffic
from lzc.serve.ipc.scoreboard import COUNTERS, Scoreboard
from lzc.serve.ipc.traffic import COOKIE, DO, OTHER, Labels, TrafficCounts
from lzc.serve.ipc.zone_table import NOTHING, ROWS, ZoneCounts, ZoneNumbers
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.observe.totals import RANKED, BusiestZones, TotalsReader
from lzc.serve.transport.packet_cache import PacketCache
from lzc.serve.transport.udp import BatchReader, SingleReader, UdpServer
from lzc.wire import rrtype
from tests.patience import PATIENCE

KINDS = [*traffic.TYPES, "HINFO", "TYPE4711"]
RCODES = [number for number in traffic.RCODES if number < 16]


def question(kind: str, name: str = "www.example.org", **options: object) -> bytes:
    made = dns.message.make_query(name, rrtype.from_text(kind), **options)  # type: ignore[arg-type]
    made.id = 7
    return made.to_wire()


def reply(query: bytes, rcode: int) -> bytes:
    """An answer without RRs, be its RCODE an extended one."""
    made = dns.message.make_response(dns.message.from_wire(query))
    made.set_rcode(dns.rcode.Rcode(rcode))
    return made.to_wire()


def counted(labels: Labels, label: int) -> tuple[dict[str, int], dict[str, int], dict[int, int]]:
    """What a table has of one query with this label: types, RCODEs, flags."""
    counts = TrafficCounts()
    counts.labels = labels
    counts.udp[4].labels[label] = 1
    words, flagged = traffic.table(counts)
    kinds = {kind: number for (_, _, kind), number in traffic.queries(words).items()}
    rcodes = {rcode: number for (_, rcode), number in traffic.answers(words).items() if number}
    assert not any(any(others) for _, *others in flagged.values())
    return kinds, rcodes, {flag: over_udp for flag, (over_udp, *_) in flagged.items()}


@given(
    kind=st.sampled_from(KINDS),
    rcode=st.sampled_from(list(traffic.RCODES)),
    edns=st.booleans(),
    dnssec=st.booleans(),
    cookie=st.booleans(),
    labels=st.lists(st.text("abcd.", min_size=1, max_size=9), max_size=3),
)
def test_a_query_is_counted_by_its_type_its_rcode_and_its_flags(
    kind: str, rcode: int, edns: bool, dnssec: bool, cookie: bool, labels: list[str]
) -> None:
    known = Labels()
    options = [dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"8 octets")] if cookie else []
    edns = edns or rcode > 15 or dnssec or cookie
    query = question(
        kind,
        ".".join(one.replace(".", "") or "x" for one in [*labels, "org"]),
        use_edns=0 if edns else False,
        ednsflags=dns.flags.DO if dnssec else 0,
        options=options,
    )
    answer = reply(query, rcode)
    expected = kind if kind in traffic.TYPES else OTHER
    # Twice: the second time it is known.
    for _ in range(2):
        found = counted(known, known.of(query, answer))
        assert found[0] == {expected: 1}
        assert found[1] == {traffic.RCODES[rcode]: 1}
        assert (found[2][DO], found[2][COOKIE]) == (dnssec, cookie)


@pytest.mark.parametrize("query", [b"", b"\0" * 11, b"\0" * 12, bytes(12) + b"\xff" * 30])
def test_what_is_no_query_is_counted_as_well(query: bytes) -> None:
    labels = Labels()
    assert counted(labels, labels.of(query, None))[:2] == ({OTHER: 1}, {})


def test_an_answer_without_a_query_of_its_own_counts_as_no_query() -> None:
    labels = Labels()
    label = labels.unasked(reply(question("AXFR"), 2))
    assert counted(labels, label)[:2] == ({}, {"SERVFAIL": 1})


@given(st.binary(min_size=12, max_size=60), st.sampled_from(RCODES))
def test_no_octets_keep_a_query_from_being_counted(query: bytes, rcode: int) -> None:
    labels = Labels()
    answer = query[:3] + bytes((rcode,)) + bytes(8)
    for _ in range(2):
        kinds, rcodes, _ = counted(labels, labels.of(query, answer))
        assert sum(kinds.values()) == 1 and rcodes == {traffic.RCODES[rcode]: 1}


class Responder:
    """Answers whatever is asked with what stands in ``answers``, by the query's first label."""

    def __init__(self) -> None:
        self.chooses = self.silent = False
        self.chosen = 0

    def begin(
        self, query: bytes, client: bytes, now: float, tcp: bool, local: bytes
    ) -> tuple[bytes, bool | Choice] | None:
        if self.silent:
            return None
        wire = reply(query, 3 if query[13:14] == b"n" else 0) + bytes(query[14] - 48)
        if not self.chooses:
            return wire, True

        def choose(client: bytes, now: float) -> bytes:
            self.chosen += 1
            return wire[2:] + bytes(100) if self.chosen % 3 else b""

        return wire, Choice(choose, 1000)

    def any_query(
        self,
        query: bytes,
        client: bytes,
        now: float,
        tcp: bool = False,
        local: bytes = b"",
        pad: bool = False,
    ) -> tuple[bytes, bool | Choice] | None:
        assert self.silent, "all else is quick"
        return None


class Loop:
    """A server socket of a family, its reader, and a client that counts by itself."""

    def __init__(self, kind: type[SingleReader | BatchReader], family: str, entries: int) -> None:
        self.family = family
        domain, host = {"4": (socket.AF_INET, "127.0.0.1"), "6": (socket.AF_INET6, "::1")}[family]
        self.server = socket.socket(domain, socket.SOCK_DGRAM)
        self.server.bind((host, 0))
        self.server.setblocking(False)
        self.client = socket.socket(domain, socket.SOCK_DGRAM)
        self.client.connect(self.server.getsockname())
        self.client.settimeout(PATIENCE)
        self.counts = TrafficCounts()
        self.responder = Responder()
        self.udp = UdpServer(
            self.responder, lambda now: 1e12, entries, ErrorLog(), None, self.counts
        )
        self.reader = kind(self.udp, self.server, b"")
        self.octets: list[int] = []

    def ask(self, *queries: bytes) -> None:
        """Send them all, then have them answered."""
        end = self.udp.counts.queries + len(queries)
        for query in queries:
            self.client.send(query)
        while self.udp.counts.queries < end:
            self.reader()
        if not self.responder.silent:
            self.octets += [len(self.client.recv(4096)) for _ in queries]

    def words(self) -> list[int]:
        return traffic.table(self.counts)[0]

    def close(self) -> None:
        self.server.close()
        self.client.close()


@pytest.fixture(params=[SingleReader, BatchReader])
def reader(request: pytest.FixtureRequest) -> type[SingleReader | BatchReader]:
    kind: type[SingleReader | BatchReader] = request.param
    return kind


@pytest.fixture(params=["4", "6"])
def loop(
    request: pytest.FixtureRequest, reader: type[SingleReader | BatchReader]
) -> Iterator[Loop]:
    made = Loop(reader, request.param, 20)
    yield made
    made.close()


def test_all_is_counted_whether_it_comes_from_the_cache_or_not_and_when_that_changes(
    loop: Loop,
) -> None:
    asked: Counter[tuple[str, str, str]] = Counter()
    rcodes: Counter[tuple[str, str]] = Counter()
    numbers = iter(range(10**6))
    for turn in range(40):
        batch = []
        for name in (f"y{turn % 7}", f"n{turn % 5}", f"y{next(numbers) % 9}"):
            for kind in ("A", "AAAA", "HINFO"):
                batch.append(question(kind, f"{name}.example"))
                asked["udp", loop.family, kind if kind != "HINFO" else OTHER] += 1
                rcodes["udp", "NXDOMAIN" if name[0] == "n" else "NOERROR"] += 1
        loop.ask(*batch)
        if turn % 10 == 9:
            loop.udp.expire(0.0)
        # Heartbeats come at any time.
        assert traffic.queries(loop.words()) == dict(asked)
    words = loop.words()
    assert {key: count for key, count in traffic.answers(words).items() if count} == dict(rcodes)
    assert traffic.answer_octets(words)["udp", loop.family] == sum(loop.octets)
    places = Counter(
        next(n for n, top in enumerate(traffic.SIZES) if size <= top) for size in loop.octets
    )
    assert traffic.sizes(words)["udp"] == (
        [places[n] for n in range(len(traffic.SIZES) + 1)],
        sum(loop.octets),
    )
    assert sum(traffic.latency(words)["udp"][0]) == len(loop.octets)
    assert traffic.latency(words)["udp"][1] > 0
    # More entries than have room, dropped twice over: both ways were gone.
    assert 0 < loop.udp.counts.hits < len(loop.octets)
    assert loop.udp.cache.evictions > 0


def test_what_a_plan_chooses_is_counted_and_what_it_cannot_choose_is_not(loop: Loop) -> None:
    loop.responder.chooses = True
    for _ in range(20):
        loop.ask(question("A", "y1.example"))
    words, flagged = traffic.table(loop.counts)
    assert traffic.queries(words) == {("udp", loop.family, "A"): 20}
    # Of 18 choices, each third failed.
    assert sum(flagged[traffic.PLANNED]) == loop.udp.counts.hits == 12
    assert traffic.answer_octets(words)["udp", loop.family] == sum(loop.octets)


def test_silence_is_a_query_without_an_answer(loop: Loop) -> None:
    loop.ask(question("A", "y1.example"))
    loop.responder.silent = True
    before = loop.words()
    loop.ask(question("MX", "y1.example"))
    words = loop.words()
    assert traffic.queries(words)["udp", loop.family, "MX"] == 1
    assert words != before
    for read in (traffic.answers, traffic.sizes, traffic.answer_octets, traffic.latency):
        assert read(words) == read(before)


@given(st.lists(st.integers(0, 30), max_size=300), st.integers(0, 20))
def test_entries_and_evictions_of_the_packet_cache_are_counted(
    keys: list[int], entries: int
) -> None:
    cache = PacketCache(entries)
    held: set[bytes] = set()
    gone = 0
    for number in keys:
        key = b"%d" % number
        if cache.young.get(key) is None and cache.older(key) is None:
            cache.put(key, (b"answer", 0, None), 6)
        now = {*cache.young, *cache.old}
        gone += len(held - now)
        held = now
        assert (len(cache), cache.evictions) == (len(now), gone)


def test_a_slot_counts_on_from_where_the_process_before_ended() -> None:
    board = Scoreboard(2)
    slot, other = board.slot(0), board.slot(1)
    reader = TotalsReader([slot, other])
    apex = b"\7example\0"
    for life in range(1, 4):
        slot.reset()
        counts, zones = TrafficCounts(), ZoneCounts()
        label = counts.labels.of(question("A"), reply(question("A"), 0))
        for beat in range(1, 4):
            counts.udp[4].labels[label] += 1
            zones[apex].executions += 1
            slot.write_traffic(traffic.table(counts)[0])
            slot.write_counters([beat] * len(COUNTERS))
            slot.zones.write(zones)
            total = reader.read()
            expected = 3 * (life - 1) + beat
            assert total.queries == {("udp", "4", "A"): expected}
            assert total.counters["lua"] == expected
            assert total.counters["cache_entries"] == beat, "says what is"
            assert total.lua_zones["example."]["executions"] == expected
    slot.reset()
    assert reader.read().counters["cache_entries"] == 0
    other.write_counters([1] * len(COUNTERS))
    assert reader.read().counters["lua"] == 10


def test_more_zones_than_rows_are_counted_together() -> None:
    slot = Scoreboard(1).slot(0)
    zones = ZoneCounts()
    for number in range(ROWS + 10):
        one = zones[b"\5" + b"%05d" % number + b"\0"]
        one.executions += 1
        one.seconds += 1e-3
    slot.zones.write(zones)
    rows, others = slot.zones.read()
    assert len(rows) == ROWS
    assert set(rows.values()) == {ZoneNumbers(1, 0, 1000, 0, 0)}
    assert (others.executions, others.cpu) == (10, 10_000)
    # The next process has others, for which there are no rows.
    slot.reset()
    zones = ZoneCounts()
    zones[b"\3new\0"].failures += 5
    slot.zones.write(zones)
    assert slot.zones.read() == (rows, others.plus(ZoneNumbers(0, 5, 0, 0, 0)))


def test_the_most_instructions_of_a_zone_are_those_of_one_bundle_and_of_one_worker() -> None:
    board = Scoreboard(2)
    slots, zone = [board.slot(0), board.slot(1)], b"\4zone\0"
    counts = [ZoneCounts() for _ in slots]
    reader = TotalsReader(slots)

    def told() -> tuple[int, int]:
        for slot, one in zip(slots, counts, strict=True):
            slot.zones.write(one)
        found = reader.read().lua_zones["zone."]
        return found["instructions"], found["most"]

    for one, instructions in zip(counts, (300, 900), strict=True):
        one[zone].executions += 3
        one[zone].took(instructions, 3)
        one[zone].took(10, 1)
    assert told() == (3 * 300 + 3 * 900 + 20, 900)
    counts[1].begin()
    assert told() == (3620, 300), "another bundle, so far"
    counts[1][zone].executions += 1
    counts[1][zone].took(500, 1)
    assert told() == (4120, 500)
    slots[1].vacate()
    counts[1] = ZoneCounts()
    assert told() == (4120, 300), "of a process that is gone stays how often, not what is"


def test_busy_zones_are_shown_and_no_number_falls() -> None:
    now = 0.0
    shown = BusiestZones(2, lambda: now)
    done: Counter[bytes] = Counter()
    before: dict[str, ZoneNumbers] = {}
    for turn in range(60):
        busy = [b"\1a\0", b"\1b\0"] if turn < 30 else [b"\1c\0", b"\1d\0"]
        for apex in (b"\1a\0", b"\1b\0", b"\1c\0", b"\1d\0"):
            done[apex] += 100 if apex in busy else 1
        found = shown.show({apex: ZoneNumbers(n, 0, 0, 0, 0) for apex, n in done.items()}, NOTHING)
        assert len(found) <= 3
        for name, numbers in found.items():
            if name in before:
                assert numbers.executions >= before[name].executions
        grown = sum(
            numbers.executions - before.get(name, NOTHING).executions
            for name, numbers in found.items()
        )
        assert grown == 202, "each execution is told of once"
        before = found
        if turn == 29:
            assert set(found) == {"a.", "b.", OTHER}
        now += RANKED / 4
    assert set(before) == {"c.", "d.", OTHER}
