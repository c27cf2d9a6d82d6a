-- The globals a record sees, and nothing more: no way to the host, to other executions or to us.
--
-- `core` carries what the files of this folder share. Each is loaded twice: with `core.exact` off for
-- the usual run, where a count hook ends an execution that may have spent its budget, and with it on
-- for the run that settles the matter, where every instruction of the record (and none of ours) is
-- counted.

local core = ...
local G = core.G
local rawset, rawget, type, error, setmetatable, getmetatable, tostring, next, select, unpack =
  rawset, rawget, type, error, setmetatable, getmetatable, tostring, next, select, unpack
local raw_setfenv, raw_getfenv, raw_loadstring = setfenv, getfenv, loadstring
local raw_pcall = pcall
local getinfo = debug.getinfo
local byte, format, concat, find = string.byte, string.format, table.concat, string.find
local create, resume, clock = coroutine.create, coroutine.resume, os.clock
local rearm = core.rearm
local bounded, charge = core.bounded, core.charge

-- A record is 64 KB at most, and so is what it loads.
local MAX_CODE = 65536
-- More than a stack has.
local MAX_LEVEL = 2 ^ 30

local guard = core.guard

-- What the object classes have for metatables; `type` calls such objects userdata, as they are
-- on PowerDNS.
local classes = core.classes
local raw_getmetatable = debug.getmetatable

function core.is_object(value)
  return type(value) == 'table' and classes[raw_getmetatable(value)] ~= nil
end

-- Two objects are equal as the class of the second has it, which does not take one of another class.
local equals = {}
local compare = guard(function(a, b)
  local mt = raw_getmetatable(b)
  local equal = equals[mt]
  if not equal then return false end
  if raw_getmetatable(a) ~= mt then error('objects of different classes are not compared', 0) end
  return equal(a, b)
end)

function core.class(methods, metamethods)
  local exposed = {}
  for name, method in next, methods do exposed[name] = core.export(method) end
  local mt = {__index = exposed, __metatable = false, __eq = compare}
  equals[mt], metamethods.__eq = metamethods.__eq, nil
  for name, method in next, metamethods do mt[name] = guard(method) end
  mt.__tostring = mt.__tostring or function(self) return format('userdata %p', self) end
  mt.__newindex = function() error("objects have no settable fields", 0) end
  classes[mt] = true
  return mt
end

-- Reads a field of objects of a class, and takes nothing else: a record may have put what it likes there.
function core.field_of(class, name, kind)
  local wrong = class .. ' expected'
  return function(object)
    local value = type(object) == 'table' and rawget(object, name)
    if type(value) ~= kind then error(wrong, 0) end
    return value
  end
end

local function lua_type(...)
  if select('#', ...) == 0 then error("bad argument #1 to 'type' (value expected)", 2) end
  local value = ...
  local t = type(value)
  if t == 'table' and classes[raw_getmetatable(value)] then return 'userdata' end
  return t
end

local function own_env() return core.env end

-- A number means a stack level, seen from the record; ours are not shown.
local function function_of(f, level)
  if type(f) == 'number' then
    if f < 1 then return nil end
    -- Where a number does not fit into an int, C would take it for a level of ours.
    if not (f < MAX_LEVEL) then error('invalid level', 0) end
    local info = getinfo(f + level, 'f')
    if not info then error('invalid level', 0) end
    return info.func
  end
  if type(f) ~= 'function' then error('function or level expected', 0) end
  return f
end

local function lua_getfenv(f)
  local fn = function_of(f == nil and 1 or f, 2)
  local env = fn and raw_getfenv(fn)
  if not env or env == G then return own_env() end
  return env
end

local function lua_setfenv(f, env)
  local fn = function_of(f, 2)
  if type(env) ~= 'table' then error("bad argument #2 to 'setfenv' (table expected)", 0) end
  if not fn or raw_getfenv(fn) == G then
    error("'setfenv' cannot change environment of given object", 0)
  end
  raw_setfenv(fn, env)
  return f
end

local lua_loadstring = guard(function(text, name, mode, env)
  if type(text) ~= 'string' then error("bad argument #1 to 'loadstring' (string expected)", 0) end
  if byte(text, 1) == 27 then return nil, 'bytecode is refused' end
  if #text > MAX_CODE then return nil, 'chunk too large' end
  if type(mode) == 'string' and not find(mode, 't', 1, true) then
    return nil, 'attempt to load chunk with wrong mode'
  end
  if type(name) ~= 'string' then name = nil end
  -- How long it takes is not only a matter of size: keys of a table may all have one hash.
  local began = clock()
  local chunk, message = raw_loadstring(text, name)
  charge((clock() - began) * 1e9)
  if not chunk then return nil, message end
  return raw_setfenv(chunk, type(env) == 'table' and env or core.env)
end)

local function lua_load(source, name, mode, env)
  if type(source) == 'string' then return lua_loadstring(source, name, mode, env) end
  local pieces, size = {}, 0
  while true do
    local piece = source()
    if piece == nil or piece == '' then break end
    if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
    pieces[#pieces + 1] = piece
    size = size + #piece
    if size > MAX_CODE then return nil, 'chunk too large' end
  end
  return lua_loadstring(concat(pieces), name, mode, env)
end

local date, time = os.date, bounded.time
local function lua_date(pattern, ...)
  if type(pattern) == 'string' and #pattern > 256 then error('date format too long', 0) end
  if core.now and (...) == nil then return date(pattern or '%c', core.now) end
  return date(pattern, ...)
end

-- For a record asked what it would say at another time.
local function lua_time(...)
  if (...) == nil then return core.now end
  return time(...)
end

-- Userdata is only ever the host's: nothing of it may be looked into.
local function lua_getmetatable(...)
  local value = ...
  if type(value) == 'userdata' then return false end
  return getmetatable(...)
end

local base = {
  _VERSION = _VERSION, assert = assert, error = error, getmetatable = guard(lua_getmetatable),
  ipairs = ipairs, next = next, pairs = pairs, pcall = pcall, rawequal = rawequal,
  rawget = rawget, rawset = rawset, select = select, setmetatable = setmetatable,
  tonumber = bounded.tonumber, tostring = tostring, type = guard(lua_type), unpack = unpack,
  getfenv = lua_getfenv, setfenv = lua_setfenv, loadstring = lua_loadstring,
  load = lua_load, print = function() end, gcinfo = function() return 0 end,
  collectgarbage = function() return 0 end,
}

-- Each runs on the C stack of the one that resumes it.
local enter, leave = core.enter, core.leave
local function lua_resume(co, ...)
  enter()
  return leave(resume(co, ...))
end

local function finish(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

local function lua_wrap(f)
  local co = create(f)
  return function(...)
    enter()
    return finish(leave(resume(co, ...)))
  end
end

local routines = {
  create = create, resume = lua_resume, running = coroutine.running, status = coroutine.status,
  wrap = lua_wrap, yield = coroutine.yield, isyieldable = coroutine.isyieldable,
}

-- Real xpcall runs the handler where the error was raised; if that was our count hook, no hook fires
-- in there and a loop would never end.
local function explained(ok, value)
  if ok then return value end
  return 'error in error handling'
end
local function handled(handler, ok, ...)
  if ok then return true, ... end
  return false, explained(base.pcall(handler, ...))
end
base.xpcall = function(f, handler, ...)
  if type(handler) ~= 'function' then
    error("bad argument #2 to 'xpcall' (function expected, got " .. type(handler) .. ')', 0)
  end
  return handled(handler, base.pcall(f, ...))
end

if core.exact then
  local credit, PROTECTED_COST, RESUME_COST, WRAP_COST = core.credit, 13, 32, 34
  base.pcall = function(...)
    if select('#', ...) == 0 then error("bad argument #1 to '?' (value expected)", 0) end
    credit(PROTECTED_COST)
    return rearm(raw_pcall(...))
  end
  routines.resume = function(co, ...)
    enter()
    credit(RESUME_COST)
    return rearm(leave(resume(co, ...)))
  end
  routines.wrap = function(f)
    local co = create(f)
    return function(...)
      enter()
      credit(WRAP_COST)
      return finish(rearm(leave(resume(co, ...))))
    end
  end
end

local seedless = core.since({[407] = false, [409] = true})
local function lua_randomseed(value)
  local number = bounded.tonumber(value)
  if value == nil and seedless then number = core.random(2147483646) end
  if not number then error("bad argument #1 to 'randomseed' (number expected)", 0) end
  core.seed(number)
end
bounded.math.randomseed = guard(lua_randomseed)

-- What LuaJIT has of Lua 5.2 where it was built so.
local function lua_rawlen(value)
  if type(value) ~= 'table' and type(value) ~= 'string' then error('table or string expected', 0) end
  return #value
end
local function lua_pack(...) return {n = select('#', ...), ...} end
local raw_pairs = pairs
local function lua_pairs(list)
  local mt = type(list) == 'table' and raw_getmetatable(list)
  local make = type(mt) == 'table' and rawget(mt, '__pairs')
  if not make then return raw_pairs(list) end
  local step, state, first = make(list)
  return step, state, first
end
-- It stands for what runs outside of all coroutines, and runs nothing itself.
local main = create(function() end)
resume(main)
local raw_running, raw_status = coroutine.running, coroutine.status
local function lua_running()
  local co = raw_running()
  if co then return co, false end
  return main, true
end
local function lua_status(co)
  if co == main then return raw_running() and 'normal' or 'running' end
  return raw_status(co)
end
local later = core.since({[407] = {base = {}, table = {}, coroutine = {}}, [501] = {
  base = {rawlen = lua_rawlen, pairs = lua_pairs}, table = {pack = lua_pack, unpack = unpack},
  coroutine = {running = lua_running, status = guard(lua_status)},
}})
for name, value in next, later.base do base[name] = value end
for name, value in next, later.table do bounded.table[name] = value end
for name, value in next, later.coroutine do routines[name] = value end

local listed = core.listed
local strings = listed('string', string, bounded.string)

-- A record gets a library as an empty table of its own in front of this one.
core.libraries = {
  string = strings, math = listed('math', math, bounded.math),
  table = listed('table', table, bounded.table), bit = listed('bit', bit, bounded.bit),
  coroutine = listed('coroutine', routines),
  os = listed('os', {clock = os.clock, difftime = os.difftime}, {
    time = core.now and lua_time or time, date = lua_date, getenv = function() return nil end,
  }),
  debug = listed('debug', {}, {traceback = function(message) return message end}),
  jit = {version = jit.version, version_num = jit.version_num, os = jit.os, arch = jit.arch},
}

core.strings = strings
core.api = base
