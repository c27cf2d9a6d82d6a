"""Names that do not exist, each asked once: an answer is put together from what all of them have in
common and one RR of its own, and little is kept of it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path

import dns.flags
import dns.message
import pytest

from lzc.answer import signed_wire
from lzc.dnssec.signing import denial as dnssec_denial
from lzc.dnssec.signing.denial import Denial, Way
from lzc.wire import edns
from tests.unit.answer.test_denial import DENIALS, KEYS, ZONES
from tests.unit.answer.test_dnssec import csk
from tests.unit.answer.test_presigned import said
from tests.unit.answering import CLIENT, HEAD, NOW, World
from tests.unit.presigned_text import presigned

ENCLOSERS = ("", "www.", "b.ent.", "ent.", "z.ent2.", "a.new.", "child.", "sua.", "lua.")
FEW = HEAD + "a.b A 192.0.2.1\nb TXT x\nn NS ns1\n"


def query(name: str, *, compact_ok: bool = False) -> bytes:
    """A question for what the name has not, if it exists, by who wants proofs."""
    made = dns.message.make_query(name, "A", want_dnssec=True, payload=1232, id=1)
    made.flags = dns.flags.Flag(0)
    if compact_ok:
        made.ednsflags |= edns.CO
    return made.to_wire()


def both_ways(world: World, wire: bytes) -> bool:
    """Whether the quick way answers; that of the look-up says the same then."""
    quick = world.responder.quick(wire, CLIENT, NOW, False, b"")
    careful = world.responder.any_query(wire, CLIENT, NOW)
    assert careful is not None
    if quick is None:
        return False
    ours, theirs = (dns.message.from_wire(answer[0]) for answer in (quick, careful))
    assert said(ours) == said(theirs)
    return True


def strangers(count: int, seed: int = 1) -> list[str]:
    chance = random.Random(seed)
    return ["x" * chance.randrange(30) + f"{chance.getrandbits(40):x}" for _ in range(count)]


@pytest.mark.parametrize("denial", DENIALS, ids=str)
def test_the_quick_answer_is_that_of_the_look_up(tmp_path: Path, denial: Denial) -> None:
    world = World(tmp_path, ZONES, keys=KEYS, denial=denial)
    answered = 0
    for encloser in ENCLOSERS:
        for name in strangers(25):
            for compact_ok in (False, True, False):
                wire = query(f"{name}.{encloser}example.org.", compact_ok=compact_ok)
                answered += both_ways(world, wire)
    assert answered > 500
    assert world.failures == []


@pytest.mark.parametrize("denial", DENIALS, ids=str)
def test_one_record_that_says_several_things_is_there_once(tmp_path: Path, denial: Denial) -> None:
    """In a zone of few names that is so for most: the quick answer is the same nevertheless."""
    key = csk("example.org.")
    live = World(tmp_path / "live", {"example.org.": FEW}, keys={"example.org.": [key]})
    worlds = [live]
    if denial.way in (Way.NSEC, Way.NSEC3):
        text = presigned(FEW, [key], denial)
        worlds.append(World(tmp_path / "stored", {"example.org.": text}, presigned=True))
    for world in worlds:
        names = [f"{name}.{below}example.org." for below in ("", "b.", "a.b.") for name in "0mz*"]
        assert all(both_ways(world, query(name)) for name in names * 2)
        assert world.failures == []


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, those of C among them."""
    count = 0

    def see(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def one_zone(folder: Path, denial: Denial) -> World:
    hosts = "".join(f"host{number} A 192.0.2.1\n" for number in range(50))
    keys = {"example.org.": [csk("example.org.")]}
    return World(folder, {"example.org.": HEAD + hosts}, keys=keys, denial=denial)


@pytest.mark.parametrize(
    ("way", "most"), [(Way.NSEC, 36), (Way.NSEC3, 55), (Way.NARROW, 95), (Way.COMPACT, 75)]
)
def test_a_stranger_costs_one_hash_and_one_signature(
    tmp_path: Path, way: Way, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes time for each is told by the calls: 143 for a narrow denial, as long as all three
    of its records were found anew, and each was put into a cache of its own."""
    world = one_zone(tmp_path, Denial(way))
    hashed = []

    def counting(data: bytes, *, usedforsecurity: bool) -> object:
        hashed.append(data)
        return sha1(data, usedforsecurity=usedforsecurity)

    # Nearly all records of the zone's chain are made by then.
    for name in strangers(2000):
        assert world.responder.quick(query(f"{name}.example.org."), CLIENT, NOW, False, b"")
    monkeypatch.setattr(dnssec_denial, "sha1", counting)
    wires = [query(f"{name}.example.org.") for name in strangers(100, seed=2)]
    (cache,) = {signer.cache for signer in world.signers.values()}
    made = cache.made

    def ask() -> None:
        for wire in wires:
            world.responder.quick(wire, CLIENT, NOW, False, b"")

    assert calls(ask) <= most * len(wires)
    passing = way in (Way.NARROW, Way.COMPACT)
    assert cache.made - made == len(wires) if passing else cache.made - made < 3
    assert len(hashed) == (len(wires) if Denial(way).is_hashed else 0)


@pytest.mark.parametrize("way", Way)
def test_a_flood_leaves_little_behind(
    tmp_path: Path, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_wire, "MAX_AROUND", 50)
    world = one_zone(tmp_path, Denial(way))
    kept = world.responder.quick.__self__._signed  # type: ignore[attr-defined]
    for name in strangers(300):
        for wire in (query(f"{name}.example.org."), query(f"{name}.host{len(name)}.example.org.")):
            assert both_ways(world, wire)
            assert len(kept._around) <= 50
    assert len(kept._pieces) <= 300
    if way in (Way.NARROW, Way.COMPACT):
        # The SOA, and of each name above a stranger what says that it is there without a wildcard.
        assert len(kept._pieces) <= 1 + 2 * 51


def test_who_asks_again_is_answered_with_the_same_signature(tmp_path: Path) -> None:
    world = one_zone(tmp_path, Denial(Way.NARROW))
    (signer,) = world.signers.values()
    wire = query("nx.example.org.")
    first = world.responder.quick(wire, CLIENT, NOW, False, b"")
    made = signer.cache.made
    assert world.responder.quick(wire, CLIENT, NOW, False, b"") == first
    assert signer.cache.made == made
