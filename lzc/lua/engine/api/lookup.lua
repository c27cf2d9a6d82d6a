-- What a record may ask of others: dblookup of records that this server has. resolve would have to
-- wait for other servers, and is refused.

local core = ...
local type, error, rawget, tonumber, select = type, error, rawget, tonumber, select
local lower = string.lower
local guard, export, text_of = core.guard, core.export, core.text_of

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

local api = core.api
api.dblookup = export(function(name, kind)
  local wire = wire_of(name)
  local code = type(kind) ~= 'table' and tonumber(kind)
  if not code or not (code >= 0 and code <= 65535) then
    error('type number expected, such as pdns.A', 0)
  end
  return list(core.python_lookup(lower(wire), code))
end)

api.resolve = guard(function()
  error('resolve is refused: no answer waits for other servers; dblookup has what this one serves', 0)
end)

-- On PowerDNS too, it is there and always fails.
api.report = guard(function(...)
  if select('#', ...) == 0 then error('This function requires at least 1 parameter(s)', 0) end
  error('Caught exception: Script took too long', 0)
end)
