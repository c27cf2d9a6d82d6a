local core = ...
local rawget, parse, text_of, group_for, ask = rawget, core.parse, core.text_of, core.group_for, core.ask
local select_from, canonical, backup = core.select_from, core.canonical, core.backup

-- The client's hash picks among those that are up, by the weights that their pages gave; a selector
-- picks among the same without regard to these.
core.api.pickselfweighted = core.export(function(url, addresses, options)
  url = text_of(url)
  local items, count = core.items_of(addresses)
  local group = group_for('weight ', url, options)
  local weights, sum, completed = {}, 0, false
  for i = 1, count do
    local state = group[items[i]]
    if state == nil then state = ask(group, 'weight ', url, options, items[i]) end
    if state >= 0 then completed = true else state = 0 end
    weights[i], sum = state, sum + state
  end
  if sum == 0 then return backup(options, items, count, completed) end
  local selector = options and rawget(options, 'selector')
  if selector ~= nil then
    local up, able = {}, 0
    for i = 1, count do
      if weights[i] > 0 then
        able = able + 1
        up[able] = items[i]
      end
    end
    return canonical(select_from(selector, up, able))
  end
  local r = core.client_hash() % sum
  for i = 1, count do
    r = r - weights[i]
    if r < 0 then
      local _, text = parse(items[i])
      return text
    end
  end
end)
