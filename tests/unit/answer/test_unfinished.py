"""Answers that are begun without a signature, and finished with it, are those of the look-up, on
zones made at random."""

from __future__ import annotations

import random
from pathlib import Path

import dns.flags
import dns.message
import pytest

from lzc.answer.unfinished import Unfinished
from lzc.dnssec.key import SigningKey
from lzc.dnssec.signing.denial import Denial, Way
from tests.unit.answer.test_dnssec import csk
from tests.unit.answer.test_presigned import said
from tests.unit.answering import CLIENT, HEAD, NOW, World

ZONE = "example.org."
TYPES = ("A", "AAAA", "TXT", "CAA", "PTR", "TLSA")
# All of these give the same signature each time; of two keys each signs.
KEYS = {
    "ed25519": [csk(ZONE)],
    "rsa": [csk(ZONE, 8)],
    "both": [csk(ZONE), csk(ZONE, 8)],
}


def made_at_random(seed: int) -> tuple[str, list[str]]:
    """A zone, and its names."""
    chance = random.Random(seed)
    data = {
        "A": lambda: f"192.0.2.{chance.randrange(256)}",
        "AAAA": lambda: f"2001:db8::{chance.randrange(65536):x}",
        "TXT": lambda: f'"{"Text" * chance.randrange(1, 30)}"',
        "CAA": lambda: f'0 issue "Ca{chance.randrange(9)}.example"',
        "PTR": lambda: f"Host{chance.randrange(99)}.Example.NET.",
    }
    names = [".".join(chance.choices("abcd*", k=chance.randrange(1, 4))) for _ in range(40)]
    names = sorted({name for name in names if "*" not in name[1:]} | {"*", "a.\\000\\001b"})
    lines = []
    for name in names:
        for kind in chance.sample(sorted(data), 2):
            rdatas = {data[kind]() for _ in range(chance.choice((1, 1, 1, 2, 5)))}
            ttl = chance.choice((0, 60, 86400))
            lines += [f"{name} {ttl} {kind} {rdata}" for rdata in sorted(rdatas)]
    return HEAD + "".join(f"{line}\n" for line in lines), names


def queries(names: list[str]) -> list[bytes]:
    """For what there is and what there is not, by who wants proofs."""
    asked = []
    for name in ["", *(f"{name}." for name in [*names, "zz.a", "zz", "B.zz", "*.zz"])]:
        for kind in TYPES:
            made = dns.message.make_query(f"{name}{ZONE}", kind, want_dnssec=True, id=1)
            made.flags = dns.flags.Flag(0)
            asked.append(made.to_wire())
    return asked


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("keys", KEYS)
def test_an_answer_that_is_finished_later_is_the_one_of_the_look_up(
    tmp_path: Path, way: Way, keys: str
) -> None:
    text, names = made_at_random(len(way) + len(keys))
    worlds = [
        World(tmp_path / which, {ZONE: text}, keys={ZONE: KEYS[keys]}, denial=Denial(way))
        for which in ("begun", "looked-up")
    ]
    begun, looked_up = (world.responder for world in worlds)
    later = [(query, begun.begin(query, CLIENT, NOW, False, b"")) for query in queries(names)]
    unfinished = 0
    for query, found in later:
        if found is None:
            continue
        wire, more = found
        if isinstance(more, Unfinished):
            assert (unfinished := unfinished + 1) and more.cacheable
            wire = more.finish(wire)
        # The next one comes with the signature that was made for this.
        assert begun.quick(query, CLIENT, NOW, False, b"") == (wire, True)
        careful = looked_up.any_query(query, CLIENT, NOW)
        assert careful is not None
        assert said(dns.message.from_wire(wire)) == said(dns.message.from_wire(careful[0]))
        if wire[6:8] != b"\0\0":
            # In an answer there are no names to compress otherwise.
            assert wire == careful[0] or query[-15:-13] == b"\0\x0c"
    assert unfinished == 0 if keys == "both" else unfinished > 50
    assert worlds[0].failures == worlds[1].failures == []


def test_what_does_not_fit_is_not_signed_first(tmp_path: Path) -> None:
    text = HEAD + "".join(f'big TXT "{number:0255d}"\n' for number in range(5))
    key = KEYS["ed25519"]
    world = World(tmp_path, {ZONE: text}, keys={ZONE: key})
    asked = dns.message.make_query(f"big.{ZONE}", "TXT", want_dnssec=True, payload=1232)
    asked.flags = dns.flags.Flag(0)
    signer = world.signers[next(iter(world.signers))]
    assert world.responder.begin(asked.to_wire(), CLIENT, NOW, False, b"") is None
    assert signer.cache.made == 0
    large = world.responder.begin(asked.to_wire(), CLIENT, NOW, True, b"")
    assert large is not None and isinstance(large[1], Unfinished)


def test_keys_in_the_same_cache_do_not_take_each_others_signatures(tmp_path: Path) -> None:
    """Not even where they have the same tag and algorithm, and the zone the same name."""
    one, other = csk(ZONE), csk(ZONE)
    same_tag = SigningKey(
        **{
            name: getattr(other, name)
            for name in ("zone", "algorithm", "flags", "dnskey", "timing", "private", "sign")
        },
        tag=one.tag,
    )
    worlds = [
        World(tmp_path / name, {ZONE: HEAD}, keys={ZONE: [key]})
        for name, key in (("one", one), ("other", same_tag))
    ]
    asked = dns.message.make_query(f"ns1.{ZONE}", "A", want_dnssec=True)
    asked.flags = dns.flags.Flag(0)
    first, second = ({*world.signers.values()}.pop() for world in worlds)
    second.cache = first.cache
    wires = [world.responder.quick(asked.to_wire(), CLIENT, NOW, False, b"") for world in worlds]
    assert wires[0] != wires[1]
    assert first.cache.made == 2
