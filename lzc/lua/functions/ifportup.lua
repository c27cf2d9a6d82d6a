local core = ...
local type, error, tonumber, if_up = type, error, tonumber, core.if_up
local sets_of = core.since({[407] = core.one_set, [408] = core.sets_of})

core.api.ifportup = core.export(function(port, addresses, options)
  local number = tonumber(port)
  if type(port) == 'table' or not number then error('port number expected', 0) end
  return if_up('port ', core.int(number), sets_of(addresses), options)
end)
