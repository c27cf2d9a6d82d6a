local core = ...
local random, export, items_of, int_of = core.random, core.export, core.items_of, core.int_of
local client_hash, api = core.client_hash, core.api

function core.pickrandom(list)
  local items, count = items_of(list)
  return items[random(count)]
end
api.pickrandom = export(core.pickrandom)

api.pickhashed = export(function(list)
  local items, count = items_of(list)
  return items[client_hash() % count + 1]
end)

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

api.all = export(function(list) return (items_of(list)) end)
