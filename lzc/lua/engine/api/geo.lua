-- Where the client is, or an address, as geo databases know it.

local core = ...
local lower, format, concat = string.lower, string.format, table.concat
local type, next = type, next
local guard, export, python_geo, python_decide = core.guard, core.export, core.python_geo, core.python_decide

-- Country, continent, region (lower-case codes), latitude, longitude and AS number of packed octets;
-- its city and the organisation that holds the AS, in lower case; whether the latitude is known.
local located = core.remember(function(packed)
  local country, continent, region, latitude, longitude, asn, city, name = python_geo(packed)
  return {
    country and lower(country), continent and lower(continent), region and lower(region),
    latitude or 0, longitude or 0, asn, city and lower(city), name and lower(name), latitude ~= nil,
  }
end, core.geo_size)

core.located = located

function core.here() return located(core.bestwho) end

-- On PowerDNS too, what no database knows goes by that name.
core.UNKNOWN = 'unknown'

function core.coordinates(place) return format('%f %f', place[4], place[5]) end

-- What a condition asks for, as text: asked again, it holds again. Nothing where that would take long.
local FEW = 32
local function asked_for(name, wanted)
  if type(wanted) ~= 'table' then wanted = {wanted} end
  local parts, count = {name}, 1
  for _, value in next, wanted do
    local t = type(value)
    if count > FEW or t ~= 'string' and t ~= 'number' then return nil end
    count = count + 1
    parts[count] = value
  end
  return concat(parts, ' ')
end

-- Whether a condition holds: to explore a record, that is decided elsewhere.
function core.decide(name, wanted) return python_decide(asked_for(name, wanted)) end

-- A function by its name that tells whether the client is somewhere.
function core.condition(name, f)
  local decide = core.decide
  if core.explore then return guard(function(wanted) return decide(name, wanted) end) end
  return export(f)
end
