-- One execution: a fresh environment, the record's chunk under its limits, the result as strings.

local core = ...
local type, next, rawset, tostring, setmetatable = type, next, rawset, tostring, setmetatable
local tonumber, pcall, setfenv, loadstring, format = tonumber, pcall, setfenv, loadstring, string.format
local byte, sub, concat, clock = string.byte, string.sub, table.concat, os.clock
local floor, min, max = math.floor, math.min, math.max
local sethook, count_kib, collect = debug.sethook, core.count_kib, core.collect
local api, libraries = core.api, core.libraries
local new_name, new_address = core.new_name, core.new_address
local string_metatable = core.string_metatable
local shared_mode, collect_at, shared = core.shared_mode, core.collect_at, core.shared

-- What a record finds in its globals when it first looks: objects and copies cost nothing unless
-- used.
local lazy = {
  _G = function() return core.env end,
  qname = function() return new_name(core.qname) end,
  zone = function() return new_name(core.zone) end,
  who = function() return new_address(core.who) end,
  bestwho = function() return new_address(core.bestwho) end,
  ecswho = function()
    if core.network then return core.new_netmask(core.network, core.prefix) end
  end,
  localwho = core.since({[409] = function()
    if core.address ~= '' then return new_address(core.address) end
  end}),
  zoneid = function() return core.zone_id + 1 end,
  tcp = function() return core.tcp end,
  dnssecOK = function() return core.dnssec_ok end,
  ednsPKTSize = function() return core.edns_size > 0 and core.edns_size or -1 end,
  dh = function() return core.new_header(core.message_id, core.flags) end,
  pdns = core.constants,
  GeoIPQueryAttribute = core.since({[500] = core.geo_attributes}),
  pdns_features = function() return {} end,
}

for name, library in next, libraries do
  local mt = {__index = library, __metatable = false}
  lazy[name] = function() return setmetatable({}, mt) end
end

-- Methods of strings follow the record's own `string`, once it has touched that.
local own_string = lazy.string
local string_methods = core.strings
lazy.string = function()
  local copy = own_string()
  string_metatable.__index = copy
  if shared_mode then string_methods = copy end
  return copy
end

setmetatable(api, {__index = core.guard(function(_, name)
  local make = lazy[name]
  if not make then return nil end
  local value = make()
  if value ~= nil then rawset(core.env, name, value) end
  return value
end)})

local environment = {__index = api, __metatable = false}

-- Facts of one query; in shared mode they would otherwise outlive it.
local QUERY = {'qname', 'zone', 'who', 'bestwho', 'ecswho', 'localwho', 'zoneid', 'tcp', 'dnssecOK',
               'ednsPKTSize', 'dh'}

local chunks, costly, young = core.shared.chunks, core.shared.costly, core.shared.young

local limit, begin, spent, surface, tell = core.exec_limit, core.begin, core.spent, core.surface, core.tell
local unseed = core.unseed
local SPENT = {
  instructions = 'more than ' .. limit .. ' instructions',
  time = 'more than ' .. core.time_limit .. ' s',
}

local environment_of_all = shared_mode and setmetatable({}, environment)

local function fresh()
  if not shared_mode then return setmetatable({}, environment) end
  for i = 1, #QUERY do rawset(environment_of_all, QUERY[i], nil) end
  return environment_of_all
end

local function number_text(value) return format('%.14g', value) end

-- More does not fit into a message of 64 KB: an A record takes 16 octets there, and an octet of text
-- four as an escape.
local MAX_ITEMS, MAX_OCTETS = 4096, 262144
local TOO_LARGE = 'the result is larger than any response'

-- The strings of a result, joined by zero octets, and how many there are if not one.
local function contents(result)
  local t = type(result)
  if t == 'string' then
    if #result > MAX_OCTETS then return nil, 'result', TOO_LARGE end
    return result
  end
  if t == 'number' then return number_text(result) end
  if t ~= 'table' or core.classes[core.raw_getmetatable(result)] then
    return nil, 'result', 'a record returns a string or a list of strings, not ' .. t
  end
  local items, count, size = {}, 0, 0
  for key, value in next, result do
    local u = type(value)
    -- PowerDNS takes text that is a number for one.
    if type(key) == 'string' then key = tonumber(key) or key end
    if type(key) ~= 'number' or (u ~= 'string' and u ~= 'number') then
      return nil, 'result', 'a record returns a string or a list of strings; this list holds '
        .. (type(key) ~= 'number' and 'the key ' .. tostring(key) or 'a ' .. u)
    end
    count = count + 1
    if u == 'number' then value = number_text(value) end
    items[count], size = value, size + #value
    if count > MAX_ITEMS or size > MAX_OCTETS then return nil, 'result', TOO_LARGE end
  end
  if count == 0 then return nil end
  if count == 1 then return items[1] end
  return concat(items, '\0'), count
end

local function failure(message)
  if type(message) ~= 'string' then
    return nil, 'runtime', 'error object of type ' .. type(message)
  end
  if message == 'not enough memory' then return nil, 'memory', message end
  -- All of it is the record's to write; it goes into the log.
  return nil, 'runtime', #message > 500 and sub(message, 1, 500) .. ' ...' or message
end

-- Where much is kept, LuaJIT's own collections are to begin a third of the way from there to the limit,
-- in small steps, and be over before it: one of all at once takes 30 ms. Tells whether that is news,
-- which takes effect with the next collection.
local paused = 200
local function pace()
  local heap = count_kib('count')
  local room = max(collect_at - heap, 1)
  local pause = max(110, min(200, floor(100 + 100 * room / heap / 3)))
  if pause >= paused - 5 and pause <= paused + 5 then return false end
  paused = pause
  collect('setpause', pause)
  collect('setstepmul', max(200, min(10000, floor(300 * heap / room))))
  return true
end

-- LuaJIT collects when the heap has doubled, which may be past the limit. Where garbage is not what
-- fills it, what is kept for speed goes, compiled records last; what is left then (in shared mode)
-- goes with this state. Otherwise each execution from here on would collect in vain.
local function make_room()
  collect()
  if pace() then collect() end
  if count_kib('count') <= collect_at or core.forget_memories() <= collect_at then return end
  core.forget()
  core.python_crowded(false)
  collect()
  if count_kib('count') > collect_at then core.python_crowded(true) end
  pace()
end

-- The garbage of thousands of executions is collected after one of them, which made its part of it and no
-- more; `grown`: KiB. The host is told how many seconds were spent for others.
local function make_room_after(grown)
  local heap, began = count_kib('count'), clock()
  make_room()
  local spent, freed = clock() - began, heap - count_kib('count')
  local part = freed > 0 and min(1, max(0, grown) / freed) or 0
  core.python_swept(spent * (1 - part))
end
shared.heap = 0

-- Returns one string; or strings joined by zero octets and their number; or nil for none; or nil, the
-- kind of failure and a message.
local function run(slot, qname, zone, who, network, prefix, address, tcp, dnssec_ok, edns_size, flags,
               message_id, zone_id, encloser)
  core.qname, core.zone, core.who, core.network, core.prefix = qname, zone, who, network, prefix
  core.bestwho = network or who
  core.address, core.tcp, core.dnssec_ok, core.edns_size = address, tcp, dnssec_ok, edns_size
  core.flags, core.message_id, core.zone_id, core.encloser = flags, message_id, zone_id, encloser
  local env = fresh()
  core.env = env
  string_metatable.__index = string_methods
  local chunk = setfenv(chunks[slot], env)
  surface()
  local hook, interval = begin(slot)
  if hook then sethook(hook, '', interval) end
  local ok, result = pcall(chunk)
  sethook()
  unseed()
  core.env = nil
  local heap = count_kib('count')
  if heap > collect_at then
    make_room_after(heap - shared.heap)
    heap = count_kib('count')
  end
  shared.heap = heap
  local why = spent()
  if interval == 1 then tell(why) end
  if why then return nil, why, SPENT[why] end
  if not ok then return failure(result) end
  return contents(result)
end

-- Puts a record's code into a slot; returns a message if it does not compile.
function core.compile(slot, code)
  local source = byte(code, 1) == 59 and sub(code, 2) or 'return ' .. code
  if byte(source, 1) == 27 then return 'bytecode is refused' end
  local chunk, message = loadstring(source, source)
  chunks[slot], young[slot] = chunk, shared.first
  return message
end

function core.forget()
  for slot in next, chunks do chunks[slot], costly[slot], young[slot] = nil, nil, nil end
end

-- What is kept for speed is given up where memory is short.
function core.forget_memories()
  for _, halves in next, core.shared.memories do
    halves.young, halves.old, halves.count = {}, {}, 0
  end
  core.forget_health()
  collect()
  return count_kib('count')
end

function core.forget_health()
  local checks = core.shared.checks
  for key in next, checks do checks[key] = nil end
end

core.run = run
