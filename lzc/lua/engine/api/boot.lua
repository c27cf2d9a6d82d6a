-- Closes the host's Lua down to what we need, and gives the files of this folder what they share.

local exact, shared, settings, callbacks = ...
local next, type, error = next, type, error
local G = getfenv(0)

jit.off()
if not shared.string_metatable then
  shared.string_metatable = debug.getmetatable('')
  shared.string_metatable.__metatable = false
  shared.chunks = {}
  math.randomseed(settings.seed)
end

local core = {
  G = G, exact = exact, shared = shared, LIMIT = {}, classes = {},
  string_metatable = shared.string_metatable, raw_getmetatable = debug.getmetatable,
  count_kib = collectgarbage, collect = collectgarbage, reseed = math.randomseed,
}
for name, value in next, settings do core[name] = value end
core.first_drawn = settings.seed % 2147483646 + 1
for name, value in next, callbacks do core[name] = value end

-- What holds in the version of PowerDNS that answers are given as, of what holds since some, which are
-- numbers such as 409; nil before the first of them.
function core.since(forms)
  local newest, found = 0, nil
  for version, form in next, forms do
    if version <= core.version and version > newest then newest, found = version, form end
  end
  return found
end

-- What the host hands over is copied into the heap where nothing catches an error for want of memory:
-- the worker would hang. So there must be room before the host is called. Half of the limit is enough
-- for what it gives, and for the table of all strings to grow.
local clock, count_kib, collect = os.clock, collectgarbage, collectgarbage
local function charged(began, ...)
  core.charge((clock() - began) * 1e9)
  return ...
end
local function make_room()
  local began = clock()
  collect()
  charged(began)
  if count_kib('count') > core.collect_at then error('not enough memory', 0) end
end

-- Some of the host's functions take as long as what they are given is large: their time is charged.
local CHARGED = {python_owner = true, python_content = true, python_lookup = true, python_include = true}
for name, f in next, callbacks do
  if CHARGED[name] then
    core[name] = function(...)
      if count_kib('count') > core.collect_at then make_room() end
      return charged(clock(), f(...))
    end
  elseif name ~= 'python_crowded' and name ~= 'python_swept' and name ~= 'python_counted' then
    core[name] = function(...)
      if count_kib('count') > core.collect_at then make_room() end
      return f(...)
    end
  end
end

-- A memory of what a pure function gave, in two halves: when the young half is full it becomes the
-- old one, and what is still used moves over. Long keys are not kept: a record's text is not to fill
-- the memory of the records after it. Both loadings of a file share it. Also gives the halves: a loop
-- may look into the `young` one first. With the size 0 nothing is kept.
local MAX_KEY = 256
shared.memories = shared.memories or {}
local made = 0
function core.remember(compute, size)
  size = size or 4096
  if size == 0 then return compute end
  made = made + 1
  local halves = shared.memories[made] or {young = {}, old = {}, count = 0}
  shared.memories[made] = halves
  return function(key)
    local value = halves.young[key]
    if value ~= nil then return value end
    value = halves.old[key]
    if value == nil then
      value = compute(key)
      if type(key) == 'string' and #key > MAX_KEY then return value end
    end
    if halves.count >= size then halves.young, halves.old, halves.count = {}, halves.young, 0 end
    halves.young[key] = value
    halves.count = halves.count + 1
    return value
  end, halves
end

-- A record that seeds math.random knows what comes, as on PowerDNS, until it ends. What the API chooses
-- comes from elsewhere meanwhile: a sequence of its own (Park and Miller's), which then seeds again.
local random, seed = math.random, math.randomseed
local chance
local function draw()
  chance = chance * 16807 % 2147483647
  return chance
end
function core.random(low, high)
  if not chance then
    if high then return random(low, high) end
    return random(low)
  end
  if not high then low, high = 1, low end
  return low + math.floor((draw() - 1) / 2147483646 * (high - low + 1))
end
function core.seed(number)
  chance = chance or random(1, 2147483646)
  seed(number)
end
function core.unseed()
  if chance then
    seed(draw())
    chance = nil
  end
end

return core
