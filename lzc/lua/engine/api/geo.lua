-- Where the client is, or an address: geo databases, and the networks a record names.

local core = ...
local type, error, next, rawget, tonumber = type, error, next, rawget, tonumber
local lower, format, gsub = string.lower, string.format, string.gsub
local random, floor = core.random, math.floor
local guard, export, ours = core.guard, core.export, core.ours
local remember, parse = core.remember, core.parse
local number_of, known_networks = core.number_of, core.known_networks
local text_of, network_of, contains = core.text_of, core.network_of, core.contains
local items_of, python_geo = core.items_of, core.python_geo

-- Country, continent, region (lower-case codes), latitude, longitude and AS number of packed octets;
-- its city and the organisation that holds the AS, in lower case; whether the latitude is known.
local located = remember(function(packed)
  local country, continent, region, latitude, longitude, asn, city, name = python_geo(packed)
  return {
    country and lower(country), continent and lower(continent), region and lower(region),
    latitude or 0, longitude or 0, asn, city and lower(city), name and lower(name), latitude ~= nil,
  }
end, core.geo_size)

local function here() return located(core.bestwho) end

local api = core.api

local UNKNOWN = 'unknown'

local function matches(code, wanted)
  if type(wanted) == 'table' then
    local found = false
    for key, value in next, wanted do
      if type(key) ~= 'number' then error('list of codes expected', 0) end
      if lower(text_of(value)) == code then found = true end
    end
    return found
  end
  return lower(text_of(wanted)) == code
end

local function predicate(field)
  -- On PowerDNS too, what no database knows goes by that name.
  return export(function(wanted) return matches(here()[field] or UNKNOWN, wanted) end)
end
api.country, api.continent, api.region = predicate(1), predicate(2), predicate(3)
api.countryCode = export(function() return here()[1] or '--' end)
api.continentCode = export(function() return here()[2] or '--' end)
api.regionCode = export(function() return here()[3] or '--' end)

local function coordinates(place) return format('%f %f', place[4], place[5]) end
api.latlon = export(function() return coordinates(here()) end)

-- Reads an address from the name asked for: 1.2.0.192 stands for 192.0.2.1.
api.latlonMagic = export(function()
  local labels, count = core.labels_of(core.qname)
  if count < 4 then return 'unknown' end
  local text = labels[4] .. '.' .. labels[3] .. '.' .. labels[2] .. '.' .. labels[1]
  local network = core.find_network(text)
  return network and coordinates(located(network[1])) or '0.000000 0.000000'
end)

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
api.geoiplookup = export(function(address, attribute)
  local number = type(attribute) ~= 'table' and tonumber(attribute)
  if not number or number ~= floor(number) then error('geo attribute expected', 0) end
  number = core.int(number)
  local network = core.find_network(text_of(address, 'address'))
  if not network then return '' end
  local place = located(network[1])
  if number == 7 then return place[9] and coordinates(place) or 'unknown' end
  local field = FIELD_OF[number]
  local value = field and place[field]
  return value and format('%s', value) or 'unknown'
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

api.asnum = export(function(wanted)
  local number = here()[6]
  local written, found = number and format('%.0f', number) or UNKNOWN, false
  if type(wanted) ~= 'table' then wanted = {wanted or false} end
  for key, value in next, wanted do
    if type(key) ~= 'number' then error('list of AS numbers expected', 0) end
    if lower(text_of(value, 'AS number')) == written then found = true end
  end
  return found
end)

-- The nearest of candidate texts, by squared degrees; among equals, a random one. `parsed` are their
-- octets, where they are known.
function core.pickclosest(items, count, parsed)
  local place = here()
  local latitude, longitude = place[4], place[5]
  local nearest, least, ties = nil, nil, 0
  for i = 1, count do
    local candidate = located(parsed and parsed[i] or (parse(items[i])))
    local dy, dx = latitude - candidate[4], longitude - candidate[5]
    -- From a client in the east to a candidate in the west; PowerDNS goes the long way back.
    if dx > 180 then dx = 360 - dx end
    local distance = dy * dy + dx * dx
    if not least or distance < least then
      nearest, least, ties = items[i], distance, 1
    elseif distance == least then
      ties = ties + 1
      if random(ties) == 1 then nearest = items[i] end
    end
  end
  ours(count * 20)
  return nearest
end
api.pickclosest = export(function(list)
  local _, text = parse(core.pickclosest(items_of(list)))
  return text
end)

-- Candidates from the name asked for, 192-0-2-1.198-51-100-1.magic.example.org: labels from the first
-- on, as long as they are addresses.
local candidates = remember(function(qname)
  local labels, total = core.labels_of(qname)
  local texts, parsed, count = {}, {}, 0
  for i = 1, total do
    local packed, text = core.python_parse((gsub(labels[i], '-', '.')))
    if not packed then break end
    count = count + 1
    texts[count], parsed[count] = text, packed
  end
  return {texts, count, parsed}
end, 512)
api.closestMagic = export(function()
  local found = candidates(core.qname)
  if found[2] == 0 then error('Caught exception: The IP list cannot be empty', 0) end
  return core.pickclosest(found[1], found[2], found[3])
end)

local function netmask(list)
  if type(list) ~= 'table' then error('table of netmasks expected, got ' .. type(list), 0) end
  local who = core.bestwho
  local number = #who == 4 and number_of(who)
  local found, count, young = false, 0, known_networks.young
  for key, value in next, list do
    if type(key) ~= 'number' then error('list of netmasks expected', 0) end
    count = count + 1
    if found then
      text_of(value, 'netmask')
    else
      local network = young[value] or network_of(value)
      local base = network[3]
      if not base then
        found = not number and contains(network, who)
      elseif number then
        local offset = number - base
        found = offset >= 0 and offset < network[4]
      end
    end
  end
  ours(count * (number and 14 or 10))
  return found
end
api.netmask = export(netmask)

-- All of a view is looked at, also what comes after the rule that applies.
local function check_rules(rules)
  if type(rules) ~= 'table' then error('table expected, got ' .. type(rules), 0) end
  local count = 0
  for key, rule in next, rules do
    if type(key) ~= 'number' or type(rule) ~= 'table' then
      error('table of {netmasks, destinations} expected', 0)
    end
    for field, list in next, rule do
      if type(field) ~= 'number' or type(list) ~= 'table' then
        error('table of {netmasks, destinations} expected', 0)
      end
      for index, value in next, list do
        local t = type(value)
        if type(index) ~= 'number' or t ~= 'string' and t ~= 'number' then
          error('list of strings expected', 0)
        end
        count = count + 1
      end
    end
    count = count + 2
  end
  ours(count * 11)
end

api.view = export(function(rules)
  check_rules(rules)
  for _, rule in next, rules do
    local destinations = rawget(rule, 2)
    if type(destinations) ~= 'table' then error('table of destinations expected', 0) end
    if netmask(rawget(rule, 1)) then return core.pickrandom(destinations) end
  end
  return ''
end)

-- To explore a record, its conditions are decided elsewhere.
if core.explore then
  local decide = guard(function() return core.python_decide() end)
  for _, name in next, {'asnum', 'country', 'continent', 'region', 'netmask'} do
    api[name] = decide
  end
  api.view = guard(function(rules)
    for _, rule in next, rules do
      if core.python_decide() then return core.pickrandom(rule[2]) end
    end
    return ''
  end)
end
