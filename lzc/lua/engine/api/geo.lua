-- Where the client is, or an address, as geo databases know it.

local core = ...
local lower, format = string.lower, string.format
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

-- A function that tells whether the client is somewhere. To explore a record, that is decided elsewhere.
function core.condition(f)
  if core.explore then return guard(function() return python_decide() end) end
  return export(f)
end
