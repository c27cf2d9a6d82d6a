local core = ...
local type, error, next, tonumber = type, error, next, tonumber
local format, floor = string.format, math.floor
local coordinates, located, text_of, UNKNOWN = core.coordinates, core.located, core.text_of, core.UNKNOWN

local ATTRIBUTES = {
  ASn = 0, City = 1, Continent = 2, Country = 3, Country2 = 4, Name = 5, Region = 6, Location = 7,
}
function core.geo_attributes()
  local copy = {}
  for name, value in next, ATTRIBUTES do copy[name] = value end
  return copy
end

-- Where the fields of a place have the attributes from 0 to 6.
local FIELD_OF = {[0] = 6, 7, 2, 1, 1, 8, 3}

-- An empty string for what is no address; "unknown" for what no database knows.
core.api.geoiplookup = core.export(function(address, attribute)
  local number = type(attribute) ~= 'table' and tonumber(attribute)
  if not number or number ~= floor(number) then error('geo attribute expected', 0) end
  number = core.int(number)
  local network = core.find_network(text_of(address, 'address'))
  if not network then return '' end
  local place = located(network[1])
  if number == 7 then return place[9] and coordinates(place) or UNKNOWN end
  local field = FIELD_OF[number]
  local value = field and place[field]
  return value and format('%s', value) or UNKNOWN
end)
