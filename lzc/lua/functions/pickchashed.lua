local core = ...
local type, error = type, error
local format, concat, find = string.format, table.concat, string.find
local client_hash, text_of, weighted_of = core.client_hash, core.text_of, core.weighted_of

core.api.pickchashed = core.since({[409] = core.export(function(list)
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
end)})
