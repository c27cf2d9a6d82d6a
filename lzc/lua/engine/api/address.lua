-- Addresses and networks: ComboAddress and Netmask. Inside, an address is its 4 or 16
-- octets (a "packed" string); `core.parse` gives the octets and port of a text, remembered, as the
-- same candidates come back with every query.

local core = ...
local type, error, setmetatable, tostring = type, error, setmetatable, tostring
local rawget, rawset, tonumber = rawget, rawset, tonumber
local byte, sub, char, format, rep = string.byte, string.sub, string.char, string.format, string.rep
local find = string.find
local floor, min = math.floor, math.min
local class, remember = core.class, core.remember
local python_parse, python_text, ours = core.python_parse, core.python_text, core.ours

-- Text to packed octets, canonical text and port; nil for what is no address.
local parsed = remember(function(text)
  local packed, canonical, port = python_parse(text)
  return {packed, canonical, port}
end)

local function text_of(value, what)
  local t = type(value)
  if t == 'string' then
    -- All of it will be walked through, in C.
    if #value > 4096 then core.charge(#value * 20) end
    return value
  end
  if t == 'number' then return tostring(value) end
  error((what or 'string') .. ' expected, got ' .. t, 0)
end
core.text_of = text_of

function core.parse(value)
  local entry = parsed(text_of(value, 'address'))
  local packed = entry[1]
  if not packed then
    error("Caught exception: Unable to convert presentation address '" .. text_of(value) .. "'", 0)
  end
  return packed, entry[2], entry[3]
end

local function to_text(packed)
  if #packed == 4 then return format('%d.%d.%d.%d', byte(packed, 1, 4)) end
  return python_text(packed)
end
core.address_text = to_text

local powers = {}
for bits = 0, 32 do powers[bits] = 2 ^ bits end

local function number_of(packed)
  local a, b, c, d = byte(packed, 1, 4)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function mask(packed, bits)
  local whole = floor(bits / 8)
  if whole >= #packed then return packed end
  local rest = powers[8 - bits % 8]
  local octet = byte(packed, whole + 1)
  octet = octet - octet % rest
  return sub(packed, 1, whole) .. char(octet) .. rep('\0', #packed - whole - 1)
end
core.mask = mask

-- The octets of an address where networks are read: with IPv4, no ports and no short forms.
local function strictly(text)
  local packed, canonical = python_parse(text)
  if packed and (#packed == 16 or canonical == text) then return packed end
end

-- What is said of a length: as it is written, or the bits that it stands for.
local function as_written(written) return written end
local function as_meant(_, bits) return bits end
local length_of = core.since({[407] = as_written, [409] = as_meant})

-- Network text to {packed network, bits, for IPv4 the network as number and the size of the block,
-- the length}. Of a length, PowerDNS reads the digits it starts with, up to 255.
local networks, halves = remember(function(text)
  local host, length = string.match(text, '^([^/]*)/?(.*)$')
  local packed = strictly(host)
  ours(20)
  if not packed then return false end
  local width = #packed * 8
  local written = width
  if length ~= '' then
    written = tonumber(string.match(length, '^%s*[+-]?(%d+)') or 256)
    if written > 255 or written > 0 and find(length, '^%s*%-') then return false end
  end
  local bits = min(written, width)
  local network = mask(packed, bits)
  local entry = {network, bits, nil, nil, length_of(written, bits)}
  if width == 32 then
    entry[3] = number_of(network)
    entry[4] = powers[32 - bits]
  end
  return entry
end)

local function network_of(value)
  local entry = halves.young[value]
  if entry then return entry end
  local text = text_of(value, 'netmask')
  entry = networks(text)
  if not entry then error("Caught exception: Unable to convert '" .. text .. "' to a netmask", 0) end
  return entry
end
core.network_of, core.known_networks = network_of, halves

-- As `network_of`, but nil for what is no network.
function core.find_network(text) return networks(text) or nil end

local function contains(network, packed)
  local base = network[3]
  if base then
    if #packed ~= 4 then return false end
    local offset = number_of(packed) - base
    return offset >= 0 and offset < network[4]
  end
  if #packed ~= 16 then return false end
  return mask(packed, network[2]) == network[1]
end
core.contains, core.number_of = contains, number_of

local Address, Netmask
local function new_address(packed, port)
  return setmetatable({packed = packed, port = port or 0}, Address)
end
core.new_address = new_address

local function packed_of(value)
  local packed = type(value) == 'table' and rawget(value, 'packed')
  if type(packed) ~= 'string' or (#packed ~= 4 and #packed ~= 16) then
    error('ComboAddress expected', 0)
  end
  return packed
end
core.packed_of = packed_of

local function port_of(address)
  packed_of(address)
  local port = rawget(address, 'port')
  return type(port) == 'number' and port or 0
end

local mapped_prefix = rep('\0', 10) .. '\255\255'
local function is_mapped(packed)
  return #packed == 16 and sub(packed, 1, 12) == mapped_prefix
end

Address = class({
  toString = function(self) return to_text(packed_of(self)) end,
  toStringWithPort = function(self)
    local packed = packed_of(self)
    return format(#packed == 4 and '%s:%d' or '[%s]:%d', to_text(packed), port_of(self))
  end,
  getRaw = packed_of,
  getPort = port_of,
  isIPv4 = function(self) return #packed_of(self) == 4 end,
  isIPv6 = function(self) return #packed_of(self) == 16 end,
  isMappedIPv4 = function(self) return is_mapped(packed_of(self)) end,
  mapToIPv4 = function(self)
    local packed = packed_of(self)
    if not is_mapped(packed) then error('Caught exception: not a mapped address', 0) end
    return new_address(sub(packed, 13), port_of(self))
  end,
  truncate = function(self, bits)
    bits = tonumber(bits)
    if not bits then error('number expected', 0) end
    bits = core.int(bits)
    local packed = packed_of(self)
    local width = #packed * 8
    rawset(self, 'packed', mask(packed, bits < 0 and width or min(bits, width)))
  end,
}, {
  __tostring = function(self) return to_text(packed_of(self)) end,
})

local text_in = core.field_of('Netmask', 'entry', 'string')
local function entry_of(netmask) return network_of(text_in(netmask)) end

local function netmask_text(entry) return to_text(entry[1]) .. '/' .. entry[5] end

function core.netmask_of(text) return setmetatable({entry = text}, Netmask) end
function core.new_netmask(packed, bits) return core.netmask_of(to_text(packed) .. '/' .. bits) end

Netmask = class({
  toString = function(self) return netmask_text(entry_of(self)) end,
  empty = function(self) entry_of(self) return false end,
  getBits = function(self) return entry_of(self)[5] end,
  getNetwork = function(self) return new_address(entry_of(self)[1]) end,
  getMaskedNetwork = function(self) return new_address(entry_of(self)[1]) end,
  isIpv4 = function(self) return #entry_of(self)[1] == 4 end,
  isIPv4 = function(self) return #entry_of(self)[1] == 4 end,
  isIpv6 = function(self) return #entry_of(self)[1] == 16 end,
  isIPv6 = function(self) return #entry_of(self)[1] == 16 end,
  match = function(self, text)
    local entry, packed = entry_of(self), strictly(text_of(text, 'address'))
    if not packed then error("Caught exception: '" .. text .. "' is no address", 0) end
    return contains(entry, packed)
  end,
}, {
  __tostring = function(self) return netmask_text(entry_of(self)) end,
  __eq = function(a, b) return netmask_text(entry_of(a)) == netmask_text(entry_of(b)) end,
})
