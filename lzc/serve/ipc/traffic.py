"""What a worker counts of queries and of its answers, exactly, in lists of integers.

A query and its answer have one label: a number that stands for the type, the RCODE and some flags.
What a cache holds has its label beside it, so that an answer from there adds one to an integer.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import add, mul
from typing import Final

from lzc.wire import message, rrtype
from lzc.wire.message import question_end

TYPES: Final = (
    *("A", "AAAA", "NS", "SOA", "CNAME", "MX", "TXT", "PTR", "SRV", "CAA", "NAPTR", "TLSA"),
    *("SVCB", "HTTPS", "DS", "DNSKEY", "CDS", "CDNSKEY", "RRSIG", "NSEC", "NSEC3PARAM", "LUA"),
    *("ANY", "AXFR", "IXFR"),
)
"""Types that are counted apart, by mnemonic."""
OTHER: Final = "other"
"""All others, and queries without a question that can be read."""
RCODES: Final = {
    message.NOERROR: "NOERROR",
    message.FORMERR: "FORMERR",
    message.SERVFAIL: "SERVFAIL",
    message.NXDOMAIN: "NXDOMAIN",
    message.NOTIMP: "NOTIMP",
    message.REFUSED: "REFUSED",
    message.NOTAUTH: "NOTAUTH",
    message.BADVERS: "BADVERS",
    message.BADCOOKIE: "BADCOOKIE",
}
"""RCODEs that answers have (RFC 6895 §2.3); whatever else is counted as `OTHER`."""
SIZES: Final = (64, 128, 256, 512, 1024, 1232, 1452, 2048, 4096, 16384, 65535)
"""Octets of an answer: upper bounds, each included."""
LATENCIES: Final = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0),
)
"""Seconds from reading a query to handing over its answer, likewise."""

DO: Final = 1
COOKIE: Final = 2
PLANNED: Final = 4
"""Flags: the DO bit (RFC 3225), a COOKIE option (RFC 7873), chosen by the plan of a LUA record."""
_FLAGS: Final = 8

_TYPE_INDEX: Final = {
    rrtype.from_text(mnemonic).to_bytes(2, "big"): index for index, mnemonic in enumerate(TYPES)
}
_OTHER_TYPE: Final = len(TYPES)
_NO_QUERY: Final = len(TYPES) + 1
_RCODE_INDEX: Final = {rcode: index for index, rcode in enumerate(RCODES)}
_OTHER_RCODE: Final = len(RCODES)
_SILENCE: Final = len(RCODES) + 1
_RCODE_ROOM: Final = len(RCODES) + 2
LABELS: Final = (len(TYPES) + 2) * _RCODE_ROOM * _FLAGS
"""All labels are less than this."""

ALL_TYPES: Final = (*TYPES, OTHER)
ALL_RCODES: Final = (*RCODES.values(), OTHER)

_OPT: Final = b"\0\0\x29"
_OPT_SIZE: Final = 11
_COOKIE_OPTION: Final = 10
_KEPT: Final = 1024


class Labels:
    """The labels that a process has met, of all transports."""

    __slots__ = ("known", "used")

    def __init__(self) -> None:
        self.known: list[dict[bytes, int]] = [{} for _ in range(16)]
        self.used: set[int] = set()

    def of(self, query: bytes, answer: bytes | None) -> int:
        """The label of a query, whatever its octets, and of its whole answer, `None` for silence.

        By the type, the class and a bare OPT RR at the end of the query the label is known from
        before: 0.2 µs where to look at the question takes 1. (Options made to look like these have
        a query counted as one of another type.)
        """
        if answer is None:
            return self._label(*_examined(query)[:2], _SILENCE)
        known = self.known[answer[3] & 15]
        end = query[-15:] if query[11] else query[-4:]
        found = known.get(end)
        if found is None:
            kind, flags, plain = _examined(query)
            rcode = _rcode(answer)
            found = self._label(kind, flags, _RCODE_INDEX.get(rcode, _OTHER_RCODE))
            # What is malformed ends as it likes.
            if plain and rcode != message.FORMERR and len(known) < _KEPT:
                known[end] = found
        return found

    def unasked(self, answer: bytes) -> int:
        """The label of an answer whose query was counted before, without it."""
        return self._label(_NO_QUERY, 0, _RCODE_INDEX.get(_rcode(answer), _OTHER_RCODE))

    def planned(self, label: int) -> int:
        """The label of the next answers to the same query, which a plan chooses."""
        label |= PLANNED
        self.used.add(label)
        return label

    def _label(self, kind: int, flags: int, rcode: int) -> int:
        label = (kind * _RCODE_ROOM + rcode) * _FLAGS + flags
        self.used.add(label)
        return label


def _examined(query: bytes) -> tuple[int, int, bool]:
    """Type and flags of a query, and whether its end alone says so: no more than a question, and an
    OPT RR without options."""
    end = question_end(query) if len(query) > 12 and query[4:6] == b"\0\1" else 0
    if not end:
        return _OTHER_TYPE, 0, False
    kind = _TYPE_INDEX.get(query[end - 4 : end - 2], _OTHER_TYPE)
    if end == len(query):
        return kind, 0, query[10:12] == b"\0\0"
    # An OPT RR behind other RRs is as good as never seen.
    if query[end : end + 3] != _OPT or len(query) < end + _OPT_SIZE:
        return kind, 0, False
    flags = DO if query[end + 7] & 0x80 else 0
    at, stop = end + _OPT_SIZE, end + _OPT_SIZE + (query[end + 9] << 8 | query[end + 10])
    while at + 4 <= min(stop, len(query)):
        if query[at] << 8 | query[at + 1] == _COOKIE_OPTION:
            flags |= COOKIE
        at += 4 + (query[at + 2] << 8 | query[at + 3])
    return kind, flags, len(query) == end + _OPT_SIZE and query[10:12] == b"\0\1"


def _rcode(answer: bytes) -> int:
    """The RCODE of an answer of ours, with the octet that its OPT RR has (RFC 6891 §6.1.3): only
    answers without other RRs say one of these."""
    rcode = answer[3] & message.RCODE_MASK
    if answer[6:10] == b"\0\0\0\0" and answer[11]:
        end = question_end(answer) if answer[4:6] == b"\0\1" else 12
        if end and answer[end : end + 3] == _OPT and len(answer) > end + 5:
            rcode |= answer[end + 5] << 4
    return rcode


class Traffic:
    """Counts of one transport over one address family. ``labels`` by label; ``latency`` has one
    place for each of `LATENCIES`, and one for what is beyond, and ``seconds`` is the sum. Of
    answers, ``lengths`` has how many had so many octets, up to ``longest``: to add to that takes
    the least. Longer ones are in ``sizes``, by `SIZES`, and in ``octets``."""

    __slots__ = ("labels", "latency", "lengths", "octets", "seconds", "sizes")

    def __init__(self, longest: int = 0) -> None:
        self.labels = [0] * LABELS
        self.lengths = [0] * (longest + 1)
        self.sizes = [0] * (len(SIZES) + 1)
        self.latency = [0] * (len(LATENCIES) + 1)
        self.octets = 0
        self.seconds = 0.0

    def sized(self, octets: int) -> None:
        """An answer has so many octets, and is not counted in ``lengths``."""
        self.sizes[bisect_left(SIZES, octets)] += 1
        self.octets += octets

    def all_sizes(self) -> tuple[list[int], int]:
        """How many of all answers are in each of `SIZES`, and beyond; their octets."""
        lengths, found, start = self.lengths, [], 0
        for stop in (*(bound + 1 for bound in SIZES), len(lengths)):
            found.append(sum(lengths[start:stop]))
            start = stop
        octets = sum(map(mul, lengths, range(len(lengths))))
        return [*map(add, found, self.sizes)], octets + self.octets

    def took(self, seconds: float, answers: int = 1) -> None:
        """So many answers took that long, each of them."""
        self.latency[bisect_left(LATENCIES, seconds)] += answers
        self.seconds += seconds * answers


class TrafficCounts:
    """All of a process: over UDP, TCP and TLS, by the octets of an address, 4 or 16. UDP answers
    have ``longest`` octets at most."""

    __slots__ = ("labels", "tcp", "tls", "udp")

    def __init__(self, longest: int = 4096) -> None:
        self.labels = Labels()
        self.udp = {4: Traffic(longest), 16: Traffic(longest)}
        self.tcp = {4: Traffic(), 16: Traffic()}
        self.tls = {4: Traffic(), 16: Traffic()}


GROUPS: Final = tuple((transport, family) for transport in ("udp", "tcp", "tls") for family in "46")
"""Transports and families, in the order in which tables have them."""
TRANSPORTS: Final = ("udp", "tcp", "tls")

_PER_GROUP: Final = len(ALL_TYPES) + 1
_RCODES_AT: Final = len(GROUPS) * _PER_GROUP
_SIZES_AT: Final = _RCODES_AT + len(TRANSPORTS) * len(ALL_RCODES)
_LATENCY_AT: Final = _SIZES_AT + len(TRANSPORTS) * (len(SIZES) + 1)
_NANOSECONDS_AT: Final = _LATENCY_AT + len(TRANSPORTS) * (len(LATENCIES) + 1)
WORDS: Final = _NANOSECONDS_AT + len(TRANSPORTS)
"""Numbers in a table: of each group queries by type and octets of answers; of each transport
answers by RCODE, sizes, latency; nanoseconds."""


def table(counts: TrafficCounts) -> tuple[list[int], dict[int, list[int]]]:
    """The counts as the numbers of a table; and how many queries had each flag, by transport in
    the order of `TRANSPORTS`."""
    words = [0] * WORDS
    flagged = {flag: [0] * len(TRANSPORTS) for flag in (DO, COOKIE, PLANNED)}
    groups = [one[octets] for one in (counts.udp, counts.tcp, counts.tls) for octets in (4, 16)]
    for group, traffic in enumerate(groups):
        transport, of_label = group // 2, traffic.labels
        for label in counts.labels.used:
            number = of_label[label]
            if not number:
                continue
            rest, flags = divmod(label, _FLAGS)
            kind, rcode = divmod(rest, _RCODE_ROOM)
            if kind != _NO_QUERY:
                words[group * _PER_GROUP + kind] += number
            if rcode != _SILENCE:
                words[_RCODES_AT + transport * len(ALL_RCODES) + rcode] += number
            for flag in flagged:
                if flags & flag:
                    flagged[flag][transport] += number
        sizes, words[(group + 1) * _PER_GROUP - 1] = traffic.all_sizes()
        for start, found in ((_SIZES_AT, sizes), (_LATENCY_AT, traffic.latency)):
            for index, number in enumerate(found, start + transport * len(found)):
                words[index] += number
        words[_NANOSECONDS_AT + transport] += int(traffic.seconds * 1e9)
    return words, flagged


def queries(words: list[int]) -> dict[tuple[str, str, str], int]:
    """Of a table: queries by transport, family and type; those that were ever asked."""
    return {
        (*group, kind): number
        for place, group in enumerate(GROUPS)
        for kind, number in zip(ALL_TYPES, words[place * _PER_GROUP :], strict=False)
        if number
    }


def answer_octets(words: list[int]) -> dict[tuple[str, str], int]:
    """Octets of answers by transport and family."""
    return {group: words[(place + 1) * _PER_GROUP - 1] for place, group in enumerate(GROUPS)}


def answers(words: list[int]) -> dict[tuple[str, str], int]:
    """Answers by transport and RCODE; all RCODEs, be it 0 times."""
    found = words[_RCODES_AT:_SIZES_AT]
    asked = [(transport, rcode) for transport in TRANSPORTS for rcode in ALL_RCODES]
    return dict(zip(asked, found, strict=True))


def sizes(words: list[int]) -> dict[str, tuple[list[int], int]]:
    """By transport: how many answers were in each of `SIZES`, and beyond; octets of them all."""
    octets = answer_octets(words)
    return {
        one: (counts, octets[one, "4"] + octets[one, "6"])
        for one, counts in _by_transport(words[_SIZES_AT:_LATENCY_AT])
    }


def latency(words: list[int]) -> dict[str, tuple[list[int], int]]:
    """By transport: how many answers took each of `LATENCIES`, and more; their nanoseconds."""
    counts = _by_transport(words[_LATENCY_AT:_NANOSECONDS_AT])
    nanoseconds = words[_NANOSECONDS_AT:]
    return {one: (found, sum_) for (one, found), sum_ in zip(counts, nanoseconds, strict=True)}


def _by_transport(words: list[int]) -> list[tuple[str, list[int]]]:
    size = len(words) // len(TRANSPORTS)
    parts = [words[at : at + size] for at in range(0, len(words), size)]
    return list(zip(TRANSPORTS, parts, strict=True))
