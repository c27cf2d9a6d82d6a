local core = ...
local error, parse, text_of, group_for, ask = error, core.parse, core.text_of, core.group_for, core.ask

-- The client's hash picks among those that are up, by the weights that their pages gave.
core.api.pickselfweighted = core.since({[500] = core.export(function(url, addresses, options)
  url = text_of(url)
  local items, count = core.items_of(addresses)
  local group = group_for('weight ', url, options)
  local weights, sum = {}, 0
  for i = 1, count do
    local state = group[items[i]]
    if state == nil then state = ask(group, 'weight ', url, options, items[i]) end
    if state < 0 then state = 0 end
    weights[i], sum = state, sum + state
  end
  if sum == 0 then error('Caught exception: The sum of items cannot be zero', 0) end
  local r = core.client_hash() % sum
  for i = 1, count do
    r = r - weights[i]
    if r < 0 then
      local _, text = parse(items[i])
      return text
    end
  end
end)})
