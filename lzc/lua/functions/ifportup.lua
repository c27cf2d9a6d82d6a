local core = ...
local type, error, tonumber, if_up = type, error, tonumber, core.if_up

core.api.ifportup = core.export(function(port, addresses, options)
  local number = tonumber(port)
  if type(port) == 'table' or not number then error('port number expected', 0) end
  return if_up('port ', core.int(number), addresses, options)
end)
