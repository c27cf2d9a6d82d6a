local core = ...
local error = error

core.api.resolve = core.guard(function()
  error('resolve is refused: no answer waits for other servers; dblookup has what this one serves', 0)
end)
