"""What records reach of Lua's library, by name, and calls of it with numbers of all kinds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from lzc.lua.engine.execution import EngineSettings
from tests.unit.lua_running import Health, Places, Runner

NUMBERS = (
    *("0", "-0", "1", "-1", "0.5", "-0.5", "2.5", "-2.5", "3", "100", "-100", "-101", "5e-324"),
    *("2^24", "2^30", "2^31-1", "2^31", "2^31+1", "-2^31", "-2^31-1", "2^32-1", "2^32", "2^32+1"),
    *("2^32-50", "-2^32", "-2^32+2", "2^53-1", "2^53", "2^53+2", "-2^53", "2^62", "2^63-1024"),
    *("2^63", "-2^63", "2^64-2048", "2^64", "2^64+4096", "-2^64", "1e300", "-1e300", "1/0", "-1/0"),
    *("0/0", "'1e300'", "'-1e300'", "'0x7fffffff'", "'0x80000000'", "'0xffffffffffffffff'"),
    *("'2147483648'", "'-2147483649'", "'4294967298'", "' 10 '", "'1e-5'", "'0x1p62'", "'nan'"),
)
"""As they are written in a record: beyond what an int, a double's whole numbers and 64 bits hold,
none at all, and texts of such."""

EXTREMES = (
    *("0", "-1", "2.5", "2^31-1", "2^31", "-2^31", "-2^31-1", "2^32-50", "2^53", "-2^53", "2^63"),
    *("2^64", "1e300", "1/0", "-1/0", "0/0"),
)
"""Those of them that are tried two at a time."""

SMALL = ("0", "-0", "1", "-1", "2", "2.5", "-2.5", "3", "-3", "7", "100", "-100", "'2'", "'0x3'")
"""What every function takes for what it is."""

_LIST = "{3, 1, 2}"
_LONG_LIST = "(function() local t = {} for i = 1, 99 do t[i] = i * 7 % 31 end return t end)()"
_SAMPLES = {
    "i": ("1",),
    "b": ("1",),
    "d": ("0.5",),
    "t": ("1e9",),
    "s": ("'abcabc'", "('abc'):rep(1500)", "''"),
    "p": ("'b'", "'^.-.-.-c'", "'(a)(b)'", "'()'"),
    "m": ("'%s %5d'", "'%99.99f'", "'%c'", "'%x'"),
    "l": (_LIST, _LONG_LIST, "{}"),
    "f": ("function(...) return ... end", "rawequal"),
    "v": ("'x'", "function(a) return a end"),
}
_TAKING_NUMBERS = "ibdtvsm"

_FIND_CORE = rb"""
local seen = {}
local function find(f)
  if seen[f] then return nil end
  seen[f] = true
  for i = 1, math.huge do
    local name, value = debug.getupvalue(f, i)
    if not name then return nil end
    if name == 'core' then return value end
    local found = type(value) == 'function' and find(value)
    if found then return found end
  end
end
return find(...)
"""

_REACHED = rb"""
local core, added = ...
local found, seen, named = {}, {}, {}
for library, functions in pairs(core.library) do
  for name in pairs(functions) do
    local own = library == 'base' and core.G or core.G[library]
    if own and own[name] then named[own[name]] = true end
  end
end
if core.library.iterators.ipairs then named[core.G.ipairs({})] = true end
local function look(value, path)
  local t = type(value)
  if t == 'function' then
    if debug.getinfo(value, 'S').what == 'C' and not named[value] then found[#found + 1] = path end
  elseif t == 'table' and not seen[value] then
    seen[value] = true
    for k, v in next, value do look(v, path .. '.' .. tostring(k)) end
    local mt = debug.getmetatable(value)
    if mt then look(mt, path .. '.metatable') end
  end
end
look({
  core.api, core.libraries, core.classes, core.strings, {added},
  core.api.ipairs({}),
  given = {core.api.pairs({}), core.libraries.coroutine.wrap(function() end)},
}, '')
for class in pairs(core.classes) do look(class, 'class') end
return table.concat(found, ' ')
"""


class Library:
    """What an engine's records reach."""

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self.runner = Runner(settings, Places({}), Health(True))
        self._state = self.runner.engine._state
        self._execute = self._state._runtime.execute
        self.cores = [self._execute(_FIND_CORE, self._state.run)]
        self.cores.append(self._execute(_FIND_CORE, self._state.run_exact))

    def unlisted(self, added: bytes = b"nil") -> list[str]:
        """Where C functions are that records reach, and that the table does not have. ``added`` is
        given to them as well."""
        extra = self._execute(b"return " + added)
        return [path.decode() for core in self.cores for path in self._unlisted(core, extra)]

    def _unlisted(self, core: Any, extra: Any) -> list[bytes]:
        found: bytes = self._execute(_REACHED, core, extra)
        return found.split()

    def listed(self) -> dict[str, str]:
        """What each function takes, as ``api/library.lua`` writes it, by the function as a record
        writes it."""
        found = {"(ipairs({}))": "li", "(('abc'):gmatch('b'))": ""}
        assert len(list(self.cores[0][b"library"][b"iterators"])) == len(found)
        for library, functions in self.cores[0][b"library"].items():
            for name, entry in functions.items():
                prefix = "" if library == b"base" else f"{library.decode()}."
                if library != b"iterators":
                    found[f"{prefix}{name.decode()}"] = entry[1].decode()
        return found

    def api(self) -> list[str]:
        """PowerDNS's functions."""
        names = {name.decode() for name in self.cores[0][b"api"]}
        return sorted(names - self.listed().keys() - {"_VERSION", "print", "gcinfo"})

    def methods(self) -> list[str]:
        """Those of all objects."""
        return sorted(
            {
                name.decode()
                for metatable in self.cores[0][b"classes"]
                if self._execute(b"return type((...).__index) == 'table'", metatable)
                for name in metatable[b"__index"]
            }
        )


def calls(name: str, takes: str, numbers: tuple[str, ...] = NUMBERS) -> Iterator[str]:
    """Calls of a function with each number in each place, and with every two extreme ones."""
    kinds = takes.replace("...", takes[takes.find("...") - 1] * 2) if "..." in takes else takes
    samples = [_SAMPLES[kind] for kind in kinds]
    if len(kinds) > 4:
        # Each takes as long as hooks let it.
        samples = [some[:1] for some in samples]
    for place, kind in enumerate(kinds):
        if kind in _TAKING_NUMBERS:
            for values in itertools.product(*samples[:place], numbers, *samples[place + 1 :]):
                yield f"{name}({', '.join(values)})"
    extremes = [one for one in numbers if one in EXTREMES or numbers is not NUMBERS]
    places = [place for place, kind in enumerate(kinds) if kind in "ibdt"]
    first = [one[0] for one in samples]
    for one, other in itertools.combinations(places, 2) if len(kinds) < 5 else ():
        for a, b in itertools.product(extremes, repeat=2):
            arguments = [*first]
            arguments[one], arguments[other] = a, b
            yield f"{name}({', '.join(arguments)})"


_ADDRESSES = "{'192.0.2.1', '192.0.2.2'}"
_OPTIONS = (
    "{timeout = N, interval = N, minimumFailures = N, httpcode = N, byteslimit = N, selector = N,"
    " backupSelector = N, failOnIncompleteCheck = N, source = N, useragent = N, stringmatch = N}"
)
_ARGUMENTS = (
    *("N", "N, N", f"N, {_ADDRESSES}", f"{_ADDRESSES}, N", "'192.0.2.1', N", "'a.example.', N"),
    *(f"N, {_ADDRESSES}, {_OPTIONS}", f"'http://192.0.2.1/', {_ADDRESSES}, {_OPTIONS}"),
    *("{N}", "{[N == N and N or 0] = '192.0.2.1'}", "{{N, '192.0.2.1'}, {1, '192.0.2.2'}}"),
    *("{[1] = {N, '192.0.2.1'}, [N == N and N or 0] = {N, '192.0.2.2'}}", "{{'192.0.2.0/24', N}}"),
    *("{{{'192.0.2.0/24'}, {N}}}", f"{{{{['192.0.2.1'] = N}}}}, {_OPTIONS}"),
    *("qname, 'A', N, '192.0.2.1', N, N", "'192.0.2.0/' .. N", "'192.0.2.1:' .. N", "'TYPE' .. N"),
    *("'%' .. N .. '$s'", "'%' .. N .. 's'", "'%1$' .. N .. 't|'", "'%.' .. N .. 's'"),
)
_OBJECTS = (
    *("qname", "who", "newNetmask('192.0.2.0/24')", "newNMG({'192.0.2.0/24'})", "newCAS()", "dh"),
    *("newDR(qname, 'A', 1, '192.0.2.1', 1)", "newDRR(qname, 'A', 1, '192.0.2.1')"),
    "newQType('A')",
)


def api_calls(name: str) -> Iterator[str]:
    """Calls of one of PowerDNS's functions with numbers where it may take some."""
    for arguments, number in itertools.product(_ARGUMENTS, NUMBERS):
        yield f"{name}({arguments.replace('N', f'({number})')})"


def object_calls(methods: list[str]) -> Iterator[str]:
    """Methods and fields of objects."""
    for made, method, number in itertools.product(_OBJECTS, methods, NUMBERS):
        yield f"(function() local o = {made} return o:{method}({number}) end)()"
    for made, field, number in itertools.product(_OBJECTS, ("ttl", "place", "type", "x"), NUMBERS):
        yield f"(function() local o = {made} o.{field} = {number} return o.{field} end)()"
