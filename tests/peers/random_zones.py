"""Zones at random: few labels, so that names, wildcards, empty non-terminals, aliases, delegations
and DNAMEs meet in all ways that there are."""

from __future__ import annotations

import random
from typing import Final

_LABELS: Final = ("a", "b", "c", "d", "aa", "w", "*")
_OCTETS: Final = (r"\000", r"\255")
_DATA: Final = (("A", "192.0.2.{}"), ("TXT", '"t{}"'), ("MX", "10 a{}"), ("AAAA", "2001:db8::{}"))
_KINDS: Final = {"data": 12, "alias": 3, "unsigned": 1.5, "secure": 1.5, "dname": 0.6, "lua": 1.5}
_DEPTHS: Final = (1, 1, 2, 2, 2, 3, 3, 4)
_DS: Final = f"DS 1 13 2 {'00' * 32}"


def text(seed: int, *, lua: bool = True) -> str:
    """The records of a zone but SOA, NS and ns1. No wildcard is a delegation or a DNAME (RFC 4592
    §4.2, §4.4)."""
    rng = random.Random(seed)
    labels = _LABELS if rng.random() < 0.8 else _LABELS + _OCTETS
    zone: dict[str, list[str]] = {}
    with_data = set()
    for number in range(1, rng.randint(6, 22)):
        owner = ".".join(rng.choices(labels, k=rng.choice(_DEPTHS)))
        (kind,) = rng.choices(list(_KINDS), list(_KINDS.values()))
        if owner in zone and not (kind == "data" and owner in with_data):
            continue
        if owner.startswith("*") and kind in ("unsigned", "secure", "dname"):
            continue
        if kind == "data" or (kind == "lua" and not lua):
            with_data.add(owner)
            some = rng.sample(_DATA, rng.choice((1, 1, 2)))
            zone.setdefault(owner, []).extend(f"{one} {of.format(number)}" for one, of in some)
        elif kind == "alias":
            zone[owner] = [f"CNAME {_target(rng, labels, list(zone))}"]
        elif kind == "lua":
            zone[owner] = [f"LUA A \"'192.0.2.{number}'\""]
        elif kind == "dname":
            zone[owner] = ["DNAME t.a"]
        else:
            zone[owner] = ["NS ns.elsewhere.example."] + [_DS] * (kind == "secure")
    return "".join(f"{owner} {one}\n" for owner, all_ in zone.items() for one in all_)


def _target(rng: random.Random, labels: tuple[str, ...], owners: list[str]) -> str:
    if owners and rng.random() < 0.7:
        target = rng.choice(owners)
    else:
        target = ".".join(rng.choices(labels, k=rng.randint(1, 3)))
    # What a wildcard makes, more often than the wildcard itself.
    return target.replace("*", "q") if rng.random() < 0.7 else target
