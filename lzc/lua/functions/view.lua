local core = ...
local type, error, next, rawget = type, error, next, rawget
local ours = core.ours

-- All of a view is looked at, also what comes after the rule that applies.
local function check_rules(rules)
  if type(rules) ~= 'table' then error('table expected, got ' .. type(rules), 0) end
  local count = 0
  for key, rule in next, rules do
    if type(key) ~= 'number' or type(rule) ~= 'table' then
      error('table of {netmasks, destinations} expected', 0)
    end
    for field, list in next, rule do
      if type(field) ~= 'number' or type(list) ~= 'table' then
        error('table of {netmasks, destinations} expected', 0)
      end
      for index, value in next, list do
        local t = type(value)
        if type(index) ~= 'number' or t ~= 'string' and t ~= 'number' then
          error('list of strings expected', 0)
        end
        count = count + 1
      end
    end
    count = count + 2
  end
  ours(count * 11)
end

local netmask, pickrandom = core.netmask, core.pickrandom
core.api.view = core.export(function(rules)
  check_rules(rules)
  for _, rule in next, rules do
    local destinations = rawget(rule, 2)
    if type(destinations) ~= 'table' then error('table of destinations expected', 0) end
    if netmask(rawget(rule, 1)) then return pickrandom(destinations) end
  end
  return ''
end)


-- To explore a record, it is decided elsewhere which rule applies.
if core.explore then
  core.api.view = core.guard(function(rules)
    for _, rule in next, rules do
      if core.decide('netmask', rule[1]) then return pickrandom(rule[2]) end
    end
    return ''
  end)
end
