"""The rows about denial of existence: signed answers, and floods of names that do not exist, in
each way, and signed answers of other algorithms."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench import harness, inputs, peers, signing_alone, turns
from tests.bench.harness import Figure
from tests.peers._peers.releases import of

WAYS: Final = {
    "nsec": (),
    "nsec3": ("1 0 0 -",),
    "nsec3-narrow": ("1 0 0 -", "narrow"),
    "compact": None,
}
"""What PowerDNS is told of each, if it has it."""

ALGORITHMS: Final = {"rsasha256": 8, "ed25519": 15}
"""Besides ECDSAP256SHA256, which all other rows sign with."""

NAMES: Final = 10_000
NEW: Final = 30_000
GOALS: Final = {"PowerDNS 5.1": "≥ 2", "Knot, online": "≥ 1"}


def denial(folder: Path, way: str) -> Iterator[Figure]:
    """With DO=1: 10,000 names over and over, 30,000 others, each once, and 30,000 random ones, each
    once; beside PowerDNS 5.1 where it has the way, and beside Knot DNS's mod-onlinesign, which has
    one of its own; and beside what a core signs that does nothing else."""
    nsec3 = WAYS[way]
    zone = folder / "zone"
    inputs.static_zone(zone, NAMES + NEW)
    names = inputs.hosts(NAMES + NEW)
    queries = inputs.queries(folder / "queries", names[:NAMES])
    new = _in_parts(folder / "new", names[NAMES:])
    strangers = _in_parts(folder / "strangers", inputs.strangers(NEW))
    made = peers.project(folder / "lzc", zone, signed=True)
    text = made.config.read_text().replace("[dnssec]\n", f'[dnssec]\ndenial = "{way}"\n')
    made.config.write_text(text)
    harness.run(made.lzc("build"))
    key = next((made.folder / "keys").rglob("*.private"))
    with contextlib.ExitStack() as stack:
        running = {"lzc": stack.enter_context(peers.lzc(made, names[0]))}
        if nsec3 is not None:
            theirs = peers.signing_powerdns(
                folder / "PowerDNS", zone, names[0], of("powerdns", "5.1"), key, nsec3
            )
            running["PowerDNS 5.1"] = stack.enter_context(theirs)
        online = peers.knot(folder / "Knot", zone, names[0], online=True)
        running["Knot, online"] = stack.enter_context(online)
        alone = {"signing alone": signing_alone.rate}
        found = {
            "signed": turns.rates(running, queries, dnssec=True),
            "signed, every name new": turns.rates_once(running, new, dnssec=True, others=alone),
            "NXDOMAIN flood, signed": turns.rates_once(
                running, strangers, dnssec=True, others=alone
            ),
        }
    for row, rates in found.items():
        for peer, rate in rates.items():
            if peer != "lzc":
                goal = GOALS.get(peer, "") if row != "signed" else ""
                yield Figure(f"{row}, {way}", peer, rate, rates["lzc"], "q/s", goal)


def algorithm(folder: Path, name: str) -> Iterator[Figure]:
    """With DO=1: 30,000 names, each once, signed by a key of that algorithm; beside PowerDNS 5.1
    with the same key, and beside what a core signs that does nothing else."""
    number = ALGORITHMS[name]
    zone = folder / "zone"
    inputs.static_zone(zone, NEW)
    names = inputs.hosts(NEW)
    made = peers.project(folder / "lzc", zone, signed=True, algorithm=number)
    harness.run(made.lzc("build"))
    key = next((made.folder / "keys").rglob("*.private"))
    theirs = peers.signing_powerdns(
        folder / "PowerDNS", zone, names[0], of("powerdns", "5.1"), key, ()
    )
    with peers.lzc(made, names[0]) as ours, theirs as other:
        rates = turns.rates_once(
            {"lzc": ours, "PowerDNS 5.1": other},
            _in_parts(folder / "new", names),
            dnssec=True,
            others={"signing alone": partial(signing_alone.rate, number)},
        )
    for peer, rate in rates.items():
        if peer != "lzc":
            row = f"signed, every name new, {name}"
            yield Figure(row, peer, rate, rates["lzc"], "q/s", GOALS.get(peer, ""))


def _in_parts(path: Path, names: Sequence[str]) -> list[Path]:
    """Files of queries for the turns, in which each name is once."""
    return [
        inputs.queries(path.with_name(f"{path.name}-{turn}"), names[turn :: turns.TURNS])
        for turn in range(turns.TURNS)
    ]
