"""Objects whose insides a record has replaced run nothing of the record's inside our functions,
where no limit looks."""

from __future__ import annotations

import pytest

from lzc.lua.engine.execution import EngineSettings
from tests.unit.lua_running import Runner

MAKERS = {
    "name": "newDN('a.b.')",
    "address": "newCA('[2001:db8::1]:5')",
    "set of addresses": "newCAS()",
    "netmask": "newNetmask('192.0.2.0/24')",
    "group of netmasks": "newNMG({'192.0.2.0/24'})",
    "type": "newQType('A')",
    "record": "newDR(newDN('a.'), 'A', 60, '192.0.2.1', 1)",
    "header": "dh",
}

METHODS = """
toString toStringNoDot toStringWithPort getRawLabels countLabels wirelength isPartOf equal chopOff
makeRelative canonCompare isIPv4 isIPv6 getRaw getPort truncate mapToIPv4 isMappedIPv4 getNetwork
getMaskedNetwork getBits match empty addMask addMasks add check getCode getName getID getAA getRCODE
getOPCODE getQDCOUNT getARCOUNT getContent getCA changeContent type ttl name place
"""

PROGRAM = """;
local times, called, found = 0, 0, {}
local function ran() times = times + 1 return 'x' end
local function hostile()
  return {
    __index = ran, __newindex = ran, __tostring = ran, __concat = ran, __len = ran, __eq = ran,
    __lt = ran, __le = ran, __call = ran, __add = ran, __sub = ran, __mod = ran, __unm = ran,
    __pairs = ran, __ipairs = ran,
  }
end
local function bad() return setmetatable({}, hostile()) end
local function make() return %s end

local function use(object, of)
  local before = times
  for name in ([[%s]]):gmatch('%%S+') do
    local good, method = pcall(function() return object[name] end)
    if good and type(method) == 'function' then
      called = called + 1
      pcall(method, object)
      for _, given in ipairs({
        bad(), '192.0.2.1', newCA('192.0.2.1'), newDN('b.'), {'192.0.2.1'}, object,
      }) do
        pcall(method, object, given)
      end
    end
    for _, value in ipairs({bad(), 'x', 1}) do pcall(function() object[name] = value end) end
  end
  for _, other in ipairs({make(), object, newDN('b.'), newCA('192.0.2.1')}) do
    pcall(function() return object == other end) pcall(function() return other == object end)
    pcall(function() return object < other end) pcall(function() return object <= other end)
    pcall(function() return object .. other end)
  end
  for _, f in ipairs({
    tostring, newDN, newCA, newNetmask, newNMG, newCAS, newQType, country, asnum, pdnslog,
    createReverse, include, pickrandom, netmask,
  }) do
    pcall(f, object) pcall(f, {object})
  end
  pcall(picknamehashed, {{1, object}}) pcall(view, {{{object}, {object}}})
  pcall(filterForward, object, object) pcall(filterForward, '192.0.2.1', object)
  pcall(dblookup, object, object) pcall(dblookup, object, 1) pcall(ifportup, 80, {object})
  pcall(newDR, object, object, object, object, object) pcall(geoiplookup, object, 1)
  pcall(string.format, '%%s', object)
  if times > before then found[#found + 1] = of end
end

local fields = {}
for field in next, make() do fields[#fields + 1] = field end
for _, field in ipairs(fields) do
  local object = make()
  rawset(object, field, bad())
  use(object, field .. ' replaced')
  object = make()
  local inside = rawget(object, field)
  if type(inside) == 'table' then
    for key in next, inside do rawset(inside, key, bad()) end
    use(object, 'what is in ' .. field .. ' replaced')
    object = make()
    setmetatable(rawget(object, field), hostile())
    use(object, field .. ' with metamethods')
  end
end
return called > 0 and #fields > 0 and table.concat(found, ', ') or 'nothing was tried'
"""


@pytest.mark.parametrize("mode", ["isolated", "shared"])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_what_is_inside_an_object_does_not_run(make: str, mode: str) -> None:
    settings = EngineSettings(
        mode="shared" if mode == "shared" else "isolated",
        exec_limit=0,
        time_limit=0,
        powerdns=(4, 9),
    )
    assert Runner(settings)(PROGRAM % (make, METHODS)) == [""]
