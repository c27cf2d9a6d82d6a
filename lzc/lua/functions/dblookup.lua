local core = ...
local type, error, rawget, tonumber, lower = type, error, rawget, tonumber, string.lower
local text_of = core.text_of

-- Contents as strings, one result each.
local function list(...)
  if ... == nil then return {} end
  if ... == -1 then error('Caught exception: more records than fit into a message', 0) end
  return {...}
end

-- A record may have put what it likes into a DNSName.
local function wire_of(name)
  local wire = type(name) == 'table' and rawget(name, 'wire')
  if type(wire) ~= 'string' then return core.name_from_text(text_of(name, 'name')) end
  local labels, count = core.labels_of(wire)
  local size = 1 + count
  for i = 1, count do size = size + #labels[i] end
  if size ~= #wire or size > 255 then error('DNSName expected', 0) end
  return wire
end

core.api.dblookup = core.export(function(name, kind)
  local wire = wire_of(name)
  local code = type(kind) ~= 'table' and tonumber(kind)
  if not code or not (code >= 0 and code <= 65535) then
    error('type number expected, such as pdns.A', 0)
  end
  return list(core.python_lookup(lower(wire), code))
end)
