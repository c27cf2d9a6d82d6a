"""What code does, as text: in plain Lua 5.1 and in LuaJIT, before and after a transfer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lupa.lua51 as lua51
import lupa.luajit21 as luajit21

from lzc.lua.program import Program
from lzc.zone.model import LuaRecord

LUA = 65402

_RUN = rb"""
local api = ...
local function show(value, seen)
  local kind = type(value)
  if kind == 'string' then
    return "'" .. value:gsub("[%c'\\\127-\255]", function(octet)
      return '\\' .. octet:byte()
    end) .. "'"
  end
  if kind == 'function' then return 'function' end
  if kind ~= 'table' then return tostring(value) end
  if seen[value] then return 'again' end
  seen[value] = true
  local fields = {}
  for key, field in pairs(value) do
    fields[#fields + 1] = show(key, {}) .. '=' .. show(field, seen)
  end
  table.sort(fields)
  return '{' .. table.concat(fields, ',') .. '}'
end
return function(code)
  local chunk = loadstring(code)
  if not chunk then return 'does not load' end
  local output = {}
  local environment = setmetatable({}, {__index = function(_, name)
    if _G[name] ~= nil then return _G[name] end
    return api[name]
  end})
  setfenv(chunk, environment)
  local function outcome(ok, ...)
    if not ok then return 'error' end
    for i = 1, select('#', ...) do output[i] = show((select(i, ...)), {}) end
    return table.concat(output, ' ')
  end
  return outcome(pcall(chunk))
end
"""

# Stands in for PowerDNS's functions: what they are called with is what they answer.
_API = rb"""
local api = {qname = 'www.example.org', zone = 'example.org', bestwho = '192.0.2.1', tcp = false}
local function show(value)
  if type(value) == 'function' then return show(value(api)) end
  if type(value) ~= 'table' then return tostring(value) end
  local fields = {}
  for key, field in pairs(value) do fields[#fields + 1] = tostring(key) .. '=' .. show(field) end
  table.sort(fields)
  return '{' .. table.concat(fields, ',') .. '}'
end
local answered = {
  'ifportup', 'ifurlup', 'ifurlextup', 'pickrandom', 'pickrandomsample', 'pickhashed',
  'pickwrandom', 'pickwhashed', 'pickclosest', 'all', 'view', 'latlon', 'latlonloc',
  'createReverse', 'createReverse6', 'createForward', 'createForward6', 'filterForward',
  'closestMagic', 'include', 'newNMG', 'pickselfweighted', 'pickchashed', 'picknamehashed',
  'asnum', 'continent', 'country', 'region', 'netmask',
}
for _, name in ipairs(answered) do
  api[name] = function(...)
    local shown = {}
    for i = 1, select('#', ...) do shown[i] = show((select(i, ...))) end
    return name .. '(' .. table.concat(shown, ',') .. ')'
  end
end
function api.continentCode() return 'EU' end
function api.countryCode() return 'DE' end
function api.pdnslog() end
function api.pdnsrandom(most) return most end
local name = {}
name.__index = name
function name:toString() return 'www.example.org.' end
function name:toStringNoDot() return 'www.example.org' end
function name:getRawLabels() return {'www', 'example', 'org'} end
api.qname = setmetatable({}, name)
local who = {}
who.__index = who
function who:toString() return '192.0.2.1' end
function who:isIPv4() return true end
api.who, api.bestwho = setmetatable({}, who), setmetatable({}, who)
return api
"""


def _outcome_in(runtime: Any) -> Callable[[bytes], bytes]:
    lua = runtime.LuaRuntime(encoding=None)
    api = lua.execute(_API)
    outcome: Callable[[bytes], bytes] = lua.execute(_RUN, api)
    return outcome


in_lua51 = _outcome_in(lua51)
in_luajit = _outcome_in(luajit21)


def program(code: bytes, covered: int = 1) -> bytes:
    """What a server loads for the code of a record."""
    if code.startswith(b";"):
        return code[1:]
    return code if covered == LUA else b"return " + code


def transferred(code: bytes, covered: int = 1) -> list[bytes]:
    """The code as secondaries rebuild it, by each rule of joining strings."""
    record = LuaRecord(covered, tuple(Program(code, covered).strings))
    assert all(0 < len(string) <= 255 and string.strip() for string in record.strings)
    sent = b"".join(record.strings)
    assert sent.isascii() and sent.decode().isprintable() and not set(sent) & set(b'"\\')
    return [record.join(True), record.join(False)]
