local core = ...
local error, select = error, select

-- On PowerDNS too, it is there and always fails.
core.api.report = core.guard(function(...)
  if select('#', ...) == 0 then error('This function requires at least 1 parameter(s)', 0) end
  error('Caught exception: Script took too long', 0)
end)
