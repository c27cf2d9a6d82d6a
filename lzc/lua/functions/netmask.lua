local core = ...
local type, error, next = type, error, next
local ours, text_of, network_of = core.ours, core.text_of, core.network_of
local number_of, known_networks, contains = core.number_of, core.known_networks, core.contains

function core.netmask(list)
  if type(list) ~= 'table' then error('table of netmasks expected, got ' .. type(list), 0) end
  local who = core.bestwho
  local number = #who == 4 and number_of(who)
  local found, count, young = false, 0, known_networks.young
  for key, value in next, list do
    if type(key) ~= 'number' then error('list of netmasks expected', 0) end
    count = count + 1
    if found then
      text_of(value, 'netmask')
    else
      local network = young[value] or network_of(value)
      local base = network[3]
      if not base then
        found = not number and contains(network, who)
      elseif number then
        local offset = number - base
        found = offset >= 0 and offset < network[4]
      end
    end
  end
  ours(count * (number and 14 or 10))
  return found
end
core.api.netmask = core.condition('netmask', core.netmask)
