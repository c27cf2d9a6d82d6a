-- Lists, numbers and weights as records give them to functions, and the hash of the client.

local core = ...
local type, error, next, tonumber, tostring = type, error, next, tonumber, tostring
local floor, format = math.floor, string.format
local ours, text_of = core.ours, core.text_of

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
core.int_of = int_of

-- Weights are as many as an int has, or since 5.1 an unsigned one, but for 0.
local function cut(number)
  if number >= 9223372036854775808 then return -1 end
  return int(number)
end
local function positive(number)
  if number < 1 or number > 4294967295 then
    error('Caught exception: a weight is a number from 1 to 4294967295', 0)
  end
  return number
end
local weight_in = core.since({[407] = cut, [501] = positive})

-- The number that a text begins with; a number is written first, as Lua writes it.
local function weight_of(value)
  local t = type(value)
  if t == 'number' then
    if value >= 1 and value <= 2147483647 and floor(value) == value then return value end
    value = format('%.14g', value)
  elseif t ~= 'string' then
    error('table of {weight, item} expected', 0)
  end
  return weight_in(tonumber(string.match(text_of(value), '^%s*([+-]?%d+)')) or 0)
end

local MOST, FAR = 2147483647, math.huge

-- Weights, items, how many, whether they are a plain list, and the sum of the weights where none is
-- below 0 and it fits into an int.
local function weighted_of(list)
  if type(list) ~= 'table' then error('table of {weight, item} expected, got ' .. type(list), 0) end
  local weights, items, count, is_list, total = {}, {}, 0, true, 0
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
    weight = weight or weight_of(nil)
    weights[count], items[count] = weight, item
    total = weight < 0 and FAR or total + weight
    if key ~= count then is_list = false end
  end
  if count == 0 then error('Caught exception: The items list cannot be empty', 0) end
  if count > FEW then ours(count * 30) end
  return weights, items, count, is_list, total <= MOST and total
end
core.weighted_of = weighted_of

local hash_of = core.remember(core.lookup2)
function core.client_hash() return hash_of(core.bestwho) end
