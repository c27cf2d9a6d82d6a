"""IXFR to PowerDNS, BIND, NSD and Knot DNS of every version: each takes what changed as that, and
has the zone as it is."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.peers._peers.releases import BIND, KNOT, NSD, POWERDNS, Release
from tests.peers.incremental import ZONE, Incremental, Rows, random_text

ALL: Final = (*POWERDNS, *BIND, *NSD, *KNOT)
CHANGES: Final = 30
LAST: Final = "www A 192.0.2.1\n"
"""What is left when so much goes that the whole zone is shorter."""
LONG: Final = "-- " + "long " * 120
SPECIAL: Final = (
    "lua 5 LUA A \"pickrandom({'192.0.2.1', '192.0.2.2'})\"\nwww A 192.0.2.1\nwww A 192.0.2.2\n",
    # One of two records of an RRset, and other code.
    "lua 5 LUA A \"pickrandom({'192.0.2.1', '192.0.2.3'})\"\nwww A 192.0.2.2\n",
    # A TTL alone, of code and of addresses.
    "lua 7 LUA A \"pickrandom({'192.0.2.1', '192.0.2.3'})\"\nwww 77 A 192.0.2.2\n",
    # The case of names alone.
    "lua 7 LUA A \"pickrandom({'192.0.2.1', '192.0.2.3'})\"\nWWW 77 A 192.0.2.2\nm MX 1 Mail\n",
    "lua 7 LUA A \"pickrandom({'192.0.2.1', '192.0.2.3'})\"\nWWW 77 A 192.0.2.2\nm MX 1 maiL\n",
    # Nothing is left of it.
    "",
    # More than a message holds comes, is changed, and goes.
    "".join(f'h{number} TXT "{"x" * 200}"\n' for number in range(1500)),
    "".join(f'h{n} TXT "{("x" if n % 4 else "y") * 200}"\n' for n in range(1500)),
    "".join(f'h{n} TXT "{("x" if n % 4 else "y") * 200}"\n' for n in range(1000)),
    LAST,
    # The same in other strings, as another length in front of it has them cut.
    f"resplit 5 LUA A \";return '192.0.2.1' {LONG}\"\n",
    f"resplit 5 LUA A \";return '192.0.2.111' {LONG}\"\n",
    "",
)
"""What is told apart by name; then there are random ones."""
TAKEN: Final = {
    "powerdns": r"got \d+ delta",
    "bind": r"IXFR|incremental",
    "knot": r"IXFR, incoming",
}
"""What their logs say of an IXFR that was taken as one; that of NSD has no word for it."""


class Past:
    """What was after each change."""

    def __init__(self) -> None:
        self.differing: dict[Release, list[int]] = {}
        self.sent: dict[Release, list[str]] = {}
        self.logs: dict[Release, str] = {}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    found = Past()
    present = [release for release in ALL if release.present()]
    world = Incremental(tmp_path_factory.mktemp("incremental"), present)
    chance = random.Random(20261130)
    found.differing = {release: [] for release in present}

    def look(number: int, expected: Rows) -> None:
        for release in present:
            if world.at(release) != expected:
                found.differing[release].append(number)

    with world.run(SPECIAL[0]):
        texts = [*SPECIAL[1:], *(random_text(chance) for _ in range(CHANGES))]
        for number, text in enumerate(texts, 1):
            world.change(text)
            look(number, world.ours())
        for release in present:
            found.sent[release] = world.sent(release)
            found.logs[release] = world.log(release)
    yield found


@pytest.mark.parametrize("release", ALL, ids=str)
def test_each_has_the_zone_as_it_is_after_every_change(past: Past, release: Release) -> None:
    release.require()
    assert past.differing[release] == []


@pytest.mark.parametrize("release", ALL, ids=str)
def test_each_was_sent_what_changed_and_nothing_else(past: Past, release: Release) -> None:
    release.require()
    sent = past.sent[release]
    shorter = SPECIAL.index(LAST)
    assert sent[0] == "AXFR"
    assert sent[shorter] == "IXFR-as-AXFR"
    assert set(sent[1:shorter] + sent[shorter + 1 :]) == {"IXFR"}
    assert len(sent) == len(SPECIAL) + CHANGES


@pytest.mark.parametrize("release", [one for one in ALL if one.software in TAKEN], ids=str)
def test_the_log_of_each_says_that_it_took_it_as_such(past: Past, release: Release) -> None:
    release.require()
    lines = [line for line in past.logs[release].splitlines() if ZONE in line]
    assert any(re.search(TAKEN[release.software], line) for line in lines)
