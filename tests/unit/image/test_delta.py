"""What went and what came between two transfers: every octet, none too many, condensed or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.bundle.delta_file import BLOCK, blocks_of, in_blocks
from lzc.bundle.writer import CompiledZone
from lzc.image.delta import Difference, condensed, difference, rr_end
from tests.unit.compiling import HEAD, draft, lua_rdata, wire

MOST = 1 << 30


def zone(text: str, serial: int) -> CompiledZone:
    made = draft(text, head=HEAD)
    assert not made.faults
    return made.finish(serial)


def rrs_of(made: CompiledZone) -> list[bytes]:
    """The RRs of a transfer, with both SOAs."""
    stream = b"".join(made.messages)
    found = []
    while stream:
        size = int.from_bytes(stream[:2], "big")
        body, stream = stream[2 : 2 + size], stream[2 + size :]
        position = 12 + len(made.info.apex) + 4
        while position < len(body):
            end = rr_end(body, position)
            found.append(body[position:end])
            position = end
    return found


def between(old: CompiledZone, new: CompiledZone, most: int = MOST) -> Difference | None:
    return difference(old.messages, new.messages, new.info.apex, most)


def applied(rrs: Sequence[bytes], made: Difference) -> Counter[bytes]:
    """A zone after a difference sequence, as who holds it strictly would have it."""
    held = Counter(rrs[:-1])
    for gone in (made.before, *made.removed):
        assert held[gone] == 1, gone
        del held[gone]
    for come in (made.after, *made.added):
        assert come not in held, come
        held[come] = 1
    return held


NAMES = st.sampled_from(["@", "a", "b", "a.b", "b.b", "*", "*.b", "z.y.x", "\\000", "q\\001", "B2"])
RDATA = st.sampled_from(
    [
        "60 A 192.0.2.1",
        "60 A 192.0.2.2",
        "90 A 192.0.2.3",
        '60 TXT "one"',
        "60 TXT LONG",
        "60 MX 10 Mail.Example.",
        "60 MX 10 mail.example.",
        "60 SRV 1 2 3 Target",
        '60 LUA A "1"',
        '70 LUA A "1"',
        '60 LUA TXT "1"',
    ]
)
LINES = st.lists(st.tuples(NAMES, RDATA), max_size=25, unique=True)


def text_of(lines: Sequence[tuple[str, str]]) -> str:
    """Lines of a zone, one TTL in each RRset."""
    ttls: dict[tuple[str, str], str] = {}
    told = set()
    found = []
    for name, rdata in lines:
        ttl, kind, rest = rdata.split(" ", 2)
        covered = rest.split()[0] if kind == "LUA" else ""
        ttl = ttls.setdefault((name, kind + covered), ttl)
        if (name, kind, rest.lower()) not in told:
            told.add((name, kind, rest.lower()))
            found.append(f"{name} {ttl} {kind} {rest}\n")
    return "".join(found).replace("LONG", " ".join(['"' + "y" * 250 + '"'] * 200))


@settings(max_examples=300, deadline=None)
@given(LINES, LINES)
def test_a_difference_leads_from_one_zone_to_the_other_and_says_nothing_else(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    old, new = zone(text_of(before), 1), zone(text_of(after), 2)
    made = between(old, new)
    assert made is not None
    assert applied(rrs_of(old), made) == Counter(rrs_of(new)[:-1])
    assert not set(made.removed) & set(made.added)


@settings(max_examples=100, deadline=None)
@given(st.lists(LINES, min_size=2, max_size=5))
def test_several_differences_become_one_without_what_came_and_went(
    states: list[list[tuple[str, str]]],
) -> None:
    zones = [zone(text_of(lines), serial) for serial, lines in enumerate(states)]
    steps = []
    for old, new in pairwise(zones):
        step = between(old, new)
        assert step is not None
        steps.append(step.blocks())
    made = condensed(steps)
    assert applied(rrs_of(zones[0]), made) == Counter(rrs_of(zones[-1])[:-1])
    straight = between(zones[0], zones[-1])
    assert straight is not None
    assert sorted(made.removed) == sorted(straight.removed)
    assert sorted(made.added) == sorted(straight.added)


def test_one_change_among_many_messages_is_one_change() -> None:
    lines = [f'h{number} 60 TXT "{"x" * 100}{number}"\n' for number in range(5000)]
    old = zone("".join(lines), 1)
    lines[2500] = "h2500 60 TXT other\n"
    new = zone("".join(lines), 2)
    assert old.info.transfer_messages > 5
    made = between(old, new)
    assert made is not None
    assert len(made.removed) == len(made.added) == 1
    assert made.added[0].startswith(b"\x05h2500")


def test_octets_are_those_that_were_sent() -> None:
    old = zone("l 60 LUA A \"a('192.0.2.1')\"\nc 60 CNAME Other.Example.\n", 1)
    new = zone("l 60 LUA A \"b('192.0.2.1')\"\nc 60 CNAME other.example.\n", 2)
    made = between(old, new)
    assert made is not None
    sent = rrs_of(old)
    assert len(made.removed) == 2
    assert all(one in sent for one in made.removed)
    assert any(
        one.endswith(
            wire("Other.Example.").replace(b"other", b"Other").replace(b"example", b"Example")
        )
        for one in made.removed
    )
    code = lua_rdata(1, b"b('192.0.2.1')")
    assert any(code[2:] in one or code[3:] in one for one in made.added)


def test_a_difference_of_more_octets_than_wanted_is_none() -> None:
    old, new = zone("a 60 TXT one\n", 1), zone("a 60 TXT two\n", 2)
    made = between(old, new)
    assert made is not None
    size = sum(map(len, (made.before, *made.removed, made.after, *made.added)))
    # The SOA records stand there twice, in front and behind as well.
    assert between(old, new, size + len(made.before) + len(made.after)) is not None
    assert between(old, new, size - 1) is None


def test_the_soa_alone_may_differ() -> None:
    made = between(zone("", 7), zone("", 8))
    assert made is not None
    assert (made.removed, made.added) == ([], [])
    assert made.before[-20:-16] == bytes((0, 0, 0, 7))
    assert made.after[-20:-16] == bytes((0, 0, 0, 8))


@pytest.mark.parametrize("octets", [b"", b"\0", b"\0\x05abcde", bytes(40)])
def test_what_is_no_transfer_is_a_value_error(octets: bytes) -> None:
    whole = zone("", 1)
    with pytest.raises(ValueError, match="no transfer"):
        difference([octets], whole.messages, whole.info.apex, MOST)


@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=20))
def test_blocks_hold_whole_records_and_few_octets(rrs: list[bytes]) -> None:
    octets = blocks_of(rrs)
    assert b"".join(block for _, block in in_blocks(octets)) == b"".join(rrs)
    assert sum(count for count, _ in in_blocks(octets)) == len(rrs)
    assert all(len(block) <= BLOCK for _, block in in_blocks(octets))


def test_a_record_larger_than_a_block_has_its_own() -> None:
    sizes = [(count, len(block)) for count, block in in_blocks(blocks_of([b"a", b"b" * 60000]))]
    assert sizes == [(1, 1), (1, 60000)]
