local core = ...
local type, error, tonumber, lower = type, error, tonumber, string.lower
local text_of = core.text_of

-- Contents as strings, one result each.
local function list(...)
  if ... == nil then return {} end
  if ... == -1 then error('Caught exception: more records than fit into a message', 0) end
  return {...}
end

-- The name is text, and no DNSName; of other types than there are nothing is found.
core.api.dblookup = core.since({[409] = core.export(function(name, kind)
  local wire = core.name_from_text(text_of(name, 'name'))
  local code = type(kind) ~= 'table' and tonumber(kind)
  if not code then error('type number expected, such as pdns.A', 0) end
  if not (code >= 0 and code <= 65535) then return {} end
  return list(core.python_lookup(lower(wire), code))
end)})
