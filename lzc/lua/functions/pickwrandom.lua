local core = ...
local error, lower, floor = error, string.lower, math.floor
local random, int, weighted_of, since = core.random, core.int, core.weighted_of, core.since
local list_walk, table_walk = core.list_walk, core.table_walk
local export, lookup2, client_hash = core.export, core.lookup2, core.client_hash
local api = core.api

-- Sums go over as ints of C++ do, and the first that is greater is looked for as in a sorted list
-- (std::upper_bound), which such are not.
local function greater_in(sums, count, r)
  local first, length = 1, count
  while length > 0 do
    local half = floor(length / 2)
    if r < sums[first + half] then
      length = half
    else
      first, length = first + half + 1, length - half - 1
    end
  end
  return first
end

local function unsigned(sum) return sum % 4294967296 end
local wrap = since({[407] = int, [501] = unsigned})

local function choose(weights, items, order, hash)
  local sums, total = {}, 0
  for i = 1, #order do
    total = wrap(total + weights[order[i]])
    sums[i] = total
  end
  if total == 0 then error('Caught exception: The sum of items cannot be zero', 0) end
  local r
  if total > 0 then
    r = hash and hash % total or random(0, total - 1)
  else
    -- A remainder by a negative number is the hash itself.
    r = int(hash or random(0, 65535) * 65536 + random(0, 65535))
  end
  local place = order[greater_in(sums, #order, r)]
  if not place then error('Caught exception: no sum of weights is greater', 0) end
  return items[place]
end

local function pick_weighted(list, hash)
  local weights, items, count, is_list, total = weighted_of(list)
  local order = is_list and list_walk(count) or table_walk(list)
  -- A table that is no plain list may hold more than is walked over.
  if not (is_list and total) or total == 0 then return choose(weights, items, order, hash) end
  local r, sum = hash and hash % total or random(0, total - 1), 0
  for i = 1, #order do
    sum = sum + weights[order[i]]
    if sum > r then return items[order[i]] end
  end
end

api.pickwrandom = export(function(list) return pick_weighted(list) end)
api.pickwhashed = export(function(list) return pick_weighted(list, client_hash()) end)
api.picknamehashed = since({[409] = export(function(list)
  return pick_weighted(list, lookup2(lower(core.qname)))
end)})
