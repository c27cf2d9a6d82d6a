local core = ...
local type, error, next, format, lower = type, error, next, string.format, string.lower
local here, text_of, UNKNOWN = core.here, core.text_of, core.UNKNOWN

core.api.asnum = core.condition('asnum', function(wanted)
  local number = here()[6]
  local written, found = number and format('%.0f', number) or UNKNOWN, false
  if type(wanted) ~= 'table' then wanted = {wanted or false} end
  for key, value in next, wanted do
    if type(key) ~= 'number' then error('list of AS numbers expected', 0) end
    if lower(text_of(value, 'AS number')) == written then found = true end
  end
  return found
end)
