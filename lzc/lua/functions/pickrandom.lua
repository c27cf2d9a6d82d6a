local core = ...
local random, items_of = core.random, core.items_of

function core.pickrandom(list)
  local items, count = items_of(list)
  return items[random(count)]
end
core.api.pickrandom = core.export(core.pickrandom)
