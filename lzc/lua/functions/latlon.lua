local core = ...
local format, floor = string.format, math.floor
local export, here, coordinates, located = core.export, core.here, core.coordinates, core.located
local api = core.api

api.latlon = export(function() return coordinates(here()) end)

-- Reads an address from the name asked for: 1.2.0.192 stands for 192.0.2.1.
api.latlonMagic = export(function()
  local labels, count = core.labels_of(core.qname)
  if count < 4 then return 'unknown' end
  local text = labels[4] .. '.' .. labels[3] .. '.' .. labels[2] .. '.' .. labels[1]
  local network = core.find_network(text)
  return network and coordinates(located(network[1])) or '0.000000 0.000000'
end)

-- As in a LOC record (RFC 1876 §3). Where nothing is known, PowerDNS has minus zero seconds; plain zero
-- a hair to the south or west.
local function sexagesimal(value, positive, negative)
  local hemisphere = positive
  if value <= 0 then value, hemisphere = -value, negative end
  local degrees = floor(value)
  local minutes = floor((value - degrees) * 60)
  local seconds = ((value - degrees) * 60 - minutes) * 60
  if value == 0 then degrees, minutes, seconds = 0, 0, value end
  return format('%d %d %g %s', degrees, minutes, seconds, hemisphere)
end

api.latlonloc = export(function()
  local place = here()
  return sexagesimal(place[4], 'N', 'S') .. ' ' .. sexagesimal(place[5], 'E', 'W')
    .. ' 0.00m 1.00m 10000.00m 10.00m'
end)
