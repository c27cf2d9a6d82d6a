local core = ...
local error, tonumber, text_of = error, tonumber, core.text_of

core.api.pdnslog = core.export(function(message, level)
  level = level == nil and core.log_levels.Warning or tonumber(level)
  if not level then error('log level expected', 0) end
  core.python_log(text_of(message), level)
end)
