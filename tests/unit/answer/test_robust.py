"""Whatever the octets, there is an answer of an allowed size or silence, and nothing is raised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.answer.responder import Responder
from lzc.answer.settings import ResponderSettings
from lzc.bundle.delta_store import DeltaStore
from lzc.dnssec import algorithms
from lzc.dnssec.key import SigningKey
from lzc.dnssec.signing.denial import Denial, Way
from lzc.wire.message import FormatError, parse_message, parse_query
from lzc.wire.name import from_text
from tests.unit.answering import CLIENT, HEAD, NOW, World

ORG = (
    HEAD
    + "$TTL 60\nwww A 192.0.2.1\nc CNAME www\n@ MX 10 www\n*.wild TXT x\nold DNAME www\n"
    + 'lua LUA A "192.0.2.1"\nlua LUA TXT "qname"\nbad LUA A "fail"\nlc LUA CNAME "c.example.org"\n'
    + "".join(f'big TXT "{number:03} {"x" * 60}"\n' for number in range(40))
    + "".join(f"sub NS ns{number}.sub\nns{number}.sub A 192.0.2.1\n" for number in range(13))
    + "a.b.ent A 192.0.2.1\nloop CNAME loop\n"
)
BELOW = "www. c. nx. x.wild. q.old. lua. bad. lc. big. x.sub. b.ent. loop. *. a.b.c.d.e.f.g."
NAMES = [
    *[f"{name}example.org" for name in BELOW.split(" ")],
    *("example.org", "version.bind", "elsewhere.example", "."),
]
TYPES = (1, 2, 5, 6, 15, 16, 28, 43, 46, 47, 48, 255, 251, 252, 65402, 0)
CLASSES = (1, 1, 1, 1, 3, 255)


@pytest.fixture(scope="module", params=list(Way))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("bundle")
    key = SigningKey.make(from_text("example.org."), 15, 257, algorithms.generate(15))
    settings_ = ResponderSettings(nsid=b"n", server_id="s", cookie_secret=bytes(16))
    return World(
        folder,
        {"example.org.": ORG},
        keys={"example.org.": [key]},
        settings=settings_,
        denial=Denial(request.param),
    )


def allowed(wire: bytes) -> int:
    """The largest UDP answer that a query may get."""
    try:
        asked = parse_query(wire)
    except FormatError:
        return 512
    return 512 if asked.edns is None else max(512, min(asked.edns.udp_size, 1232))


def check(world: World, wire: bytes) -> None:
    for tcp in (False, True):
        response = world.send(wire, tcp=tcp)
        if response is None:
            continue
        assert response.wire[:2] == wire[:2]
        assert response.wire[2] & 0x80
        if not tcp:
            assert len(response.wire) <= allowed(wire)
        parse_message(response.wire)


@st.composite
def queries(draw: st.DrawFn) -> bytes:
    options = draw(
        st.lists(
            st.builds(
                lambda code, data: dns.edns.GenericOption(dns.edns.OptionType.make(code), data),
                st.sampled_from([3, 8, 10, 12, 65001]),
                st.binary(max_size=24),
            ),
            max_size=3,
        )
    )
    query = dns.message.make_query(
        draw(st.sampled_from(NAMES)),
        dns.rdatatype.RdataType.make(draw(st.sampled_from(TYPES))),
        dns.rdataclass.RdataClass.make(draw(st.sampled_from(CLASSES))),
        use_edns=draw(st.sampled_from([False, 0, 0, 1])),
        want_dnssec=draw(st.booleans()),
        payload=draw(st.sampled_from([0, 512, 700, 1232, 65535])),
        options=list(options),
    )
    usual = st.sampled_from([0, 0x100, 0x120, 0x10, 0x130])
    query.flags = dns.flags.Flag(draw(usual | st.integers(0, 0x7FFF)) & 0x07F0)
    return query.to_wire()


@given(st.binary(max_size=80))
@settings(max_examples=300)
def test_random_octets(world: World, wire: bytes) -> None:
    check(world, wire)


@given(queries())
@settings(max_examples=300)
def test_all_kinds_of_queries(world: World, wire: bytes) -> None:
    check(world, wire)


@given(queries(), st.data())
@settings(max_examples=300)
def test_queries_with_octets_changed_cut_or_added(
    world: World, wire: bytes, data: st.DataObject
) -> None:
    mutated = bytearray(wire)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(mutated)))
    check(world, bytes(mutated))
    check(world, bytes(mutated[:cut]))
    check(world, bytes(mutated) + data.draw(st.binary(max_size=8)))


def test_only_lua_records_failed_meanwhile(world: World) -> None:
    assert {str(error) for error in world.failures} <= {"runtime: told to fail"}


class DamagedView:
    """A zone whose nodes have octets changed, as a bundle that was tampered with may have."""

    def __init__(self, world: World, changes: list[tuple[int, int]]) -> None:
        view = world.bundle.zone(from_text("example.org."))
        assert view is not None
        self._view = view
        self._changes = changes
        self.info = view.info
        self.apex = view.apex

    def _damage(self, node: bytes) -> bytes:
        damaged = bytearray(node)
        for position, octet in self._changes:
            damaged[position % len(damaged)] = octet
        return bytes(damaged)

    def node(self, key: bytes) -> bytes | None:
        node = self._view.node(key)
        return self._damage(node) if node is not None and key else node

    def predecessor(self, key: bytes) -> tuple[bytes, bytes]:
        found, node = self._view.predecessor(key)
        return found, self._damage(node)

    def hashed(self, digest: bytes) -> bytes | None:
        content = self._view.hashed(digest)
        return content and self._damage(content)

    def hashed_before(self, digest: bytes) -> tuple[bytes, bytes]:
        found, content = self._view.hashed_before(digest)
        return found, self._damage(content)


class DamagedBundle:
    """Finds the damaged zone for every name."""

    def __init__(self, view: DamagedView, deltas: DeltaStore) -> None:
        self._view = view
        self.deltas = deltas

    def find_zone(self, name: bytes) -> DamagedView | None:
        return self._view if name.endswith(self._view.apex) else None

    find_parent_zone = find_zone

    def all_views(self) -> None:
        return None


@given(queries(), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4))
@settings(max_examples=400)
def test_a_damaged_zone_gives_servfail_at_worst(
    world: World, wire: bytes, changes: list[tuple[int, int]]
) -> None:
    bundle: Any = DamagedBundle(DamagedView(world, changes), world.bundle.deltas)
    responder = Responder(bundle, ResponderSettings(), world.signers, world.engine)
    for tcp in (False, True):
        response = responder.respond(wire, CLIENT, NOW, tcp=tcp)
        assert response is None or tcp or len(response.wire) <= allowed(wire)


def essence(wire: bytes) -> tuple[object, ...]:
    """What a message says, whatever its compression and the order of its RRs."""
    message = parse_message(wire)
    sections = [
        sorted((rr.owner.lower(), rr.rrtype, rr.ttl, rr.rdata.lower()) for rr in section)
        for section in (message.answer, message.authority, message.additional)
    ]
    return message.id, message.flags, message.questions, sections


@given(queries())
@settings(max_examples=400)
def test_the_fast_lane_says_what_the_long_way_says(world: World, wire: bytes) -> None:
    try:
        parse_query(wire)
    except FormatError:
        return
    for tcp in (False, True):
        fast = world.send(wire, tcp=tcp)
        found = world.responder.any_query(wire, CLIENT, NOW, tcp)
        assert fast is not None
        assert found is not None
        long, cacheable = found
        if not long[2] & 2:
            assert essence(fast.wire) == essence(long)
            assert fast.cacheable is cacheable
