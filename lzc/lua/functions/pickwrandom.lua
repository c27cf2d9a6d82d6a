local core = ...
local error, lower = error, string.lower
local random, int, weighted_of = core.random, core.int, core.weighted_of
local list_walk, table_walk = core.list_walk, core.table_walk
local export, lookup2, client_hash = core.export, core.lookup2, core.client_hash
local api = core.api

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

api.pickwrandom = export(function(list) return pick_weighted(list) end)
api.pickwhashed = export(function(list) return pick_weighted(list, client_hash()) end)
api.picknamehashed = export(function(list)
  return pick_weighted(list, lookup2(lower(core.qname)))
end)
