local core = ...
local items_of, client_hash = core.items_of, core.client_hash

core.api.pickhashed = core.export(function(list)
  local items, count = items_of(list)
  return items[client_hash() % count + 1]
end)
