"""The zones: what is in them, and changes of it at random. Every version is drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

_TTLS: Final = (60, 300, 3600)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_LEAST: Final = 12
"""Single records below which nothing more is taken out."""
_BESIDE: Final = 80
"""Records of one RRset at most: BIND takes a hundred."""


@dataclass(slots=True)
class Content:
    """A zone, of whose records each is a line: owner, type and RDATA in presentation format, under
    which its TTL is found. ``lua``: it has LUA records too."""

    name: str
    lua: bool
    chance: random.Random
    records: dict[tuple[str, str, str], int] = field(default_factory=dict)
    changes: int = 0

    @classmethod
    def made(cls, name: str, size: int, lua: bool, chance: random.Random) -> Content:
        """One of so many records."""
        found = cls(name, lua, chance)
        while len(found.records) < size:
            found._add()
        return found

    def change(self) -> None:
        """Some records come, some go, some are others now; always something."""
        self.changes += 1
        chance = self.chance
        before = dict(self.records)
        while self.records == before:
            for _ in range(chance.randint(1, 6)):
                chance.choice(
                    (self._add, self._add, self._remove, self._replace, self._time, self._case)
                )()

    def text(self) -> str:
        """The zone file. Refresh and retry are short: what a lost NOTIFY costs is seconds."""
        lines = [
            f"$ORIGIN {self.name}.",
            f"@ 60 IN SOA ns1 c{self.changes}.hostmaster 1 5 1 1209600 60",
            "@ 60 IN NS ns1",
            "ns1 60 IN A 192.0.2.53",
        ]
        for (owner, rrtype, rdata), ttl in sorted(self.records.items()):
            lines.append(f"{owner} {ttl} IN {rrtype} {rdata}")
        return "\n".join(lines) + "\n"

    def _label(self) -> str:
        chance = self.chance
        word = "".join(chance.choice(_LETTERS) for _ in range(chance.randint(2, 9)))
        if chance.random() < 0.2:
            word = word.capitalize()
        return f"x{word}" if chance.random() < 0.8 else f"x{word}.sub{chance.randint(0, 9)}"

    def _put(self, owner: str, rrtype: str, rdata: str, ttl: int) -> None:
        # All records of an RRset have one TTL, and a name one case.
        same = [key for key in self.records if key[0].lower() == owner.lower()]
        if (
            len(same) >= _BESIDE
            or any(key[1] == "CNAME" for key in same)
            or (rrtype == "CNAME" and same)
        ):
            return
        owner = same[0][0] if same else owner
        for key in same:
            if key[1:2] == (rrtype,) and not rdata.startswith("LUA"):
                ttl = self.records[key]
        self.records[owner, rrtype, rdata] = ttl

    def _add(self) -> None:
        chance = self.chance
        owner = self._label()
        if self.records and chance.random() < 0.4:
            owner = chance.choice(list(self.records))[0]
        kinds = ["A", "A", "AAAA", "TXT", "TXT", "MX", "SRV", "CNAME", "CAA", "TYPE65280"]
        rrtype = chance.choice([*kinds, *(["LUA"] * 3 if self.lua else [])])
        self._put(owner, rrtype, self._rdata(rrtype), chance.choice(_TTLS))

    def _rdata(self, rrtype: str) -> str:
        chance = self.chance
        low = chance.randint(1, 254)
        match rrtype:
            case "A":
                return f"10.{chance.randint(0, 255)}.{chance.randint(0, 255)}.{low}"
            case "AAAA":
                return f"2001:db8::{low:x}:{chance.randint(1, 65535):x}"
            case "TXT":
                octets = "".join(chance.choice(_LETTERS) for _ in range(chance.randint(1, 200)))
                return f'"{octets}"' if chance.random() < 0.7 else f'"{octets}" "{low}"'
            case "MX":
                return f"{low} Mail{chance.randint(0, 99)}.{self.name}."
            case "SRV":
                return f"{low} 5 {chance.randint(1, 65535)} host{low}.{self.name}."
            case "CNAME":
                return f"Target{low}.{self.name}."
            case "CAA":
                return f'0 issue "ca{low}.example"'
            case "LUA":
                # Long enough, now and then, to be cut into strings.
                more = " ".join(f"-- {low}" for _ in range(chance.choice((0, 0, 90))))
                code = f"pickrandom({{'192.0.2.{low}','192.0.2.{255 - low}'}})"
                return (
                    f'A "{code}"'
                    if not more
                    else f"A \"pickrandom({{'192.0.2.{low}'}}) {more[:200]}\""
                )
        return f"\\# 4 {chance.getrandbits(32):08x}"

    def _some(self) -> tuple[str, str, str] | None:
        return self.chance.choice(list(self.records)) if len(self.records) > _LEAST else None

    def _remove(self) -> None:
        if (key := self._some()) is not None:
            del self.records[key]

    def _replace(self) -> None:
        if (key := self._some()) is not None:
            ttl = self.records.pop(key)
            self.records[key[0], key[1], self._rdata(key[1])] = ttl

    def _time(self) -> None:
        """Another TTL for a whole RRset."""
        if (key := self._some()) is not None:
            ttl = self.chance.choice(_TTLS)
            for one in self.records:
                if one[0] == key[0] and one[1] == key[1]:
                    self.records[one] = ttl

    def _case(self) -> None:
        """The same name in another case."""
        if (key := self._some()) is not None:
            mine = {one: ttl for one, ttl in self.records.items() if one[0] == key[0]}
            for (owner, rrtype, rdata), ttl in mine.items():
                del self.records[owner, rrtype, rdata]
                self.records[owner.swapcase(), rrtype, rdata] = ttl
