-- The functions that choose among candidates: pickrandom, pickhashed, pickwrandom, pickwhashed,
-- picknamehashed, pickchashed, all.

local core = ...
local type, error, next, tonumber, tostring = type, error, next, tonumber, tostring
local random, floor = core.random, math.floor
local export, lookup2, ours = core.export, core.lookup2, core.ours
local list_walk, table_walk = core.list_walk, core.table_walk
local format, lower, concat, find = string.format, string.lower, table.concat, string.find
local text_of = core.text_of

-- Items of a list that is not worth the telling.
local FEW = 8

-- The strings of a record's table, in the order `next` gives. Tables are read raw: a metamethod
-- would be the record's own code running uncounted.
local function strings_of(list)
  if type(list) ~= 'table' then error('table of strings expected, got ' .. type(list), 0) end
  local items, count = {}, 0
  for key, value in next, list do
    local t = type(value)
    if type(key) ~= 'number' then error('list expected, found key ' .. tostring(key), 0) end
    if t == 'number' then
      value = format('%.14g', value)
    elseif t ~= 'string' then
      error('table of strings expected, found ' .. t, 0)
    end
    count = count + 1
    items[count] = value
  end
  if count > FEW then ours(count * 10) end
  return items, count
end
core.strings_of = strings_of

local function items_of(list)
  local items, count = strings_of(list)
  if count == 0 then error('Caught exception: The items list cannot be empty', 0) end
  return items, count
end
core.items_of = items_of

-- A C++ int of 32 bits: what is more is cut off.
local function int(value)
  if not (value > -9223372036854775808 and value < 9223372036854775808) then return 0 end
  value = (value < 0 and -floor(-value) or floor(value)) % 4294967296
  return value < 2147483648 and value or value - 4294967296
end
core.int = int

-- Numbers, and text that is one.
local function int_of(value)
  if type(value) ~= 'number' then value = tonumber(text_of(value, 'number')) end
  if not value then error('number expected', 0) end
  return int(value)
end

-- As atoi(3) has it; a number is written first, as Lua writes it.
local function weight_of(value)
  local t = type(value)
  if t == 'number' then
    if value >= 0 and value <= 2147483647 and floor(value) == value then return value end
    value = format('%.14g', value)
  elseif t ~= 'string' then
    error('table of {weight, item} expected', 0)
  end
  return int(tonumber(string.match(text_of(value), '^%s*([+-]?%d+)')) or 0)
end

local function weighted_of(list)
  if type(list) ~= 'table' then error('table of {weight, item} expected, got ' .. type(list), 0) end
  local weights, items, count, is_list = {}, {}, 0, true
  for key, pair in next, list do
    if type(key) ~= 'number' then error('list expected', 0) end
    if type(pair) ~= 'table' then error('table of {weight, item} expected', 0) end
    local weight, item = nil, nil
    for field, value in next, pair do
      if field == 1 then weight = weight_of(value) elseif field == 2 then item = value end
    end
    local t = type(item)
    if t == 'number' then
      item = format('%.14g', item)
    elseif t == 'nil' then
      item = ''
    elseif t ~= 'string' then
      error('table of {weight, item} expected', 0)
    end
    count = count + 1
    weights[count], items[count] = weight or weight_of(nil), item
    if key ~= count then is_list = false end
  end
  if count == 0 then error('Caught exception: The items list cannot be empty', 0) end
  if count > FEW then ours(count * 30) end
  return weights, items, count, is_list
end

local function pick_weighted(list, hash)
  local weights, items, count, is_list = weighted_of(list)
  local order = is_list and list_walk(count) or table_walk(list)
  local total = 0
  for i = 1, #order do total = total + weights[order[i]] end
  if total > 2147483647 then total = int(total) end
  if total <= 0 then error('Caught exception: The sum of items cannot be zero', 0) end
  local r = hash and hash % total or random(0, total - 1)
  local sum = 0
  for i = 1, #order do
    local place = order[i]
    sum = sum + weights[place]
    if sum > r then return items[place] end
  end
end

local hash_of = core.remember(lookup2)
function core.client_hash() return hash_of(core.bestwho) end
local client_hash = core.client_hash

local api = core.api

function core.pickrandom(list)
  local items, count = items_of(list)
  return items[random(count)]
end
api.pickrandom = export(core.pickrandom)

api.pickrandomsample = export(function(size, list)
  local items, count = items_of(list)
  size = int_of(size)
  if size < 0 or size > count then size = count end
  local sample = {}
  for i = 1, size do
    local other = random(i, count)
    items[i], items[other] = items[other], items[i]
    sample[i] = items[i]
  end
  return sample
end)

api.pickhashed = export(function(list)
  local items, count = items_of(list)
  return items[client_hash() % count + 1]
end)

api.pickwrandom = export(function(list) return pick_weighted(list) end)
api.pickwhashed = export(function(list) return pick_weighted(list, client_hash()) end)
api.picknamehashed = export(function(list)
  return pick_weighted(list, lookup2(lower(core.qname)))
end)

api.pickchashed = export(function(list)
  local weights, items, count = weighted_of(list)
  local key = {}
  for i = 1, count do
    -- A zero octet is what separates them.
    if find(text_of(items[i]), '%z') then error('Caught exception: an item holds a zero octet', 0) end
    key[i] = format('%d %s\0', weights[i], items[i])
  end
  local owner = core.python_owner(concat(key), client_hash())
  if type(owner) == 'string' then error('Caught exception: ' .. owner, 0) end
  return items[owner]
end)

api.all = export(function(list) return (items_of(list)) end)

api.pdnsrandom = export(function(limit)
  if limit == nil then return random(0, 4294967295) end
  limit = int_of(limit) % 4294967296
  return limit == 0 and 0 or random(0, limit - 1)
end)
