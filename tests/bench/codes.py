"""LUA records that the rows run."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ARBITRARY = (
    # Control flow, string work, an API call; nothing that a plan can do.
    ";local list={'192.0.2.1','192.0.2.2','192.0.2.3','192.0.2.4'} "
    "if bestwho:toString():find(':',1,true) then return {'192.0.2.9'} end return pickrandom(list)"
)
IDIOM = "pickrandom({'192.0.2.1','192.0.2.2','192.0.2.3','192.0.2.4'})"
STRINGS = (
    ";local name=qname:toString():lower() local word,digits=name:match('^(%a+)(%d*)') "
    "local s=string.format('%s-%03d',word,#digits):gsub('%-','.')..string.rep('x',4) "
    "local n=0 for label in name:gmatch('[^.]+') do n=n+#label end "
    "if s:find('lua',1,true) and s:find('^lua%.%d') and name:sub(1,3):upper()=='LUA' "
    "then return '192.0.2.'..(n%200) end return '192.0.2.255'"
)


def strings(code: str) -> str:
    """Code as a zone file has it, cut at blanks into what one string of a record holds."""
    pieces = textwrap.wrap(code, 250, break_long_words=False, break_on_hyphens=False)
    return " ".join(f'"{piece}"' for piece in pieces)


@dataclass(frozen=True, slots=True)
class Code:
    """A code in pieces that end where a blank may follow, and first labels to ask it for."""

    title: str
    pieces: list[str]
    labels: Callable[[], Iterator[str]]

    @property
    def strings(self) -> str:
        """As a zone file has it."""
        return " ".join(strings(piece) for piece in self.pieces)


def _hosts() -> Iterator[str]:
    return (f"host{i}" for i in range(200))


def _addresses() -> Iterator[str]:
    return (f"192-0-2-{i}" for i in range(1, 201))


def _magic() -> Iterator[str]:
    return (f"192-0-2-{i}.198-51-100-{i}.203-0-113-{i}" for i in range(1, 201))


def _customers() -> Iterator[str]:
    return (f"customer-{i % 90}" for i in range(200))


def _listed(items: list[str], opening: str, closing: str, step: int) -> list[str]:
    """A table constructor in pieces of ``step`` items each."""
    pieces = [
        "".join(f"{item}," for item in items[i : i + step]) for i in range(0, len(items), step)
    ]
    return [opening, *pieces, closing]


def in_use(port: int) -> dict[str, Code]:
    """Codes as they are in use, by the label above the names that they answer; at ``port`` there is
    something to be checked on 127.0.0.1 to 127.0.0.20."""
    customers = [f"['customer-{i}']={{'192.0.2.{i}','198.51.100.{i}'}}" for i in range(75)]
    masks = [f"'10.{i}.0.0/16'" for i in range(99)] + ["'127.0.0.0/8'"]
    return {
        "forward": Code(
            "createForward",
            [";local a=createForward() if a=='0.0.0.0' then return {'192.0.2.1'} end return a"],
            _addresses,
        ),
        "chain": Code(
            "country chain (plan)",
            [
                ";if country('JP') then return '192.0.2.1' elseif country({'BR','AR'}) then "
                "return '192.0.2.2' elseif continent('OC') then return '192.0.2.3' ",
                "elseif country('ZA') then return '192.0.2.4' elseif country('US') then "
                "return {'192.0.2.5','192.0.2.6'} end return '192.0.2.7'",
            ],
            _hosts,
        ),
        "up": Code(
            "ifportup, 20 addresses",
            [
                f";local function up(pool) return ifportup({port},pool) end local pool={{",
                *_listed([f"'127.0.0.{i}'" for i in range(1, 21)], "", "} return up(pool)", 10),
            ],
            _hosts,
        ),
        "script": Code(
            "4 KB script",
            _listed(
                customers,
                ";local pools={",
                "} local name=qname:toString():lower() local key=name:match('^[%w-]+') "
                "local pool=pools[key] if not pool then return {'192.0.2.254'} end "
                "local up={} for i,a in ipairs(pool) do if a~='192.0.2.3' then up[#up+1]=a end end "
                "if #up==0 then up=pool end return pickhashed(up)",
                5,
            ),
            _customers,
        ),
        "magic": Code("closestMagic", [";local a=closestMagic() return a"], _magic),
        "view": Code(
            "view, 100 masks (plan)",
            [
                ";local rules={{",
                *_listed(
                    masks,
                    "{",
                    "},{'192.0.2.1','192.0.2.2'}},{{'0.0.0.0/0'},{'192.0.2.3'}}} "
                    "return view(rules)",
                    12,
                ),
            ],
            _hosts,
        ),
    }
