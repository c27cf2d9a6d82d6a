local core = ...
local type, error, next, tonumber, pcall = type, error, next, tonumber, pcall
local sub, match, gsub, format = string.sub, string.match, string.gsub, string.format
local concat, floor, char = table.concat, math.floor, string.char
local export, labels_of, parse, text_of, fill = core.export, core.labels_of, core.parse, core.text_of, core.fill
local api = core.api

-- The format and the exceptions are looked at whether they are needed or not.
local function check(pattern, exceptions)
  text_of(pattern, 'format')
  if exceptions == nil then return end
  if type(exceptions) ~= 'table' or core.is_object(exceptions) then
    error('table of exceptions expected', 0)
  end
  for address, name in next, exceptions do text_of(address, 'address') text_of(name) end
end

-- What a table of exceptions says about an address, or nil. The port of one is part of it.
local function exception(exceptions, packed)
  if exceptions == nil then return nil end
  for address, name in next, exceptions do
    local octets, _, port = parse(address)
    if octets == packed and port == 0 then return text_of(name) end
  end
end

-- As atoi(3) reads it.
local function hex_octet(text)
  local digits = match(text, '^%s*([+-]?%d+)')
  return format('%02x', digits and core.int(tonumber(digits)) % 4294967296 or 0)
end

api.createReverse = export(function(pattern, exceptions)
  check(pattern, exceptions)
  local labels, count = labels_of(core.qname)
  if count < 4 then return 'unknown' end
  local d, c, b, a = labels[1], labels[2], labels[3], labels[4]
  if exceptions ~= nil then
    local name = exception(exceptions, (parse(a .. '.' .. b .. '.' .. c .. '.' .. d)))
    if name then return name end
  end
  return fill(text_of(pattern), {
    a, b, c, d, a .. '-' .. b .. '-' .. c .. '-' .. d,
    hex_octet(a) .. hex_octet(b) .. hex_octet(c) .. hex_octet(d),
  }) or 'error'
end)

api.createReverse6 = export(function(pattern, exceptions)
  check(pattern, exceptions)
  local labels, count = labels_of(core.qname)
  if count < 32 then return 'unknown' end
  local values, octets, groups = {}, {}, {}
  for i = 1, 32 do
    values[i] = labels[33 - i]
    octets[i] = sub(values[i], 1, 1)
  end
  local packed = {}
  for i = 1, 8 do groups[i] = concat(octets, '', i * 4 - 3, i * 4) end
  for i = 1, 8 do
    if not match(groups[i], '^%x%x%x%x$') then return 'unknown' end
    local number = tonumber(groups[i], 16)
    packed[i] = char(floor(number / 256), number % 256)
    values[33 + i] = groups[i]
  end
  packed = concat(packed)
  values[33] = gsub(core.address_text(packed), ':', '-')
  local filled = fill(text_of(pattern), values)
  if not filled then return 'unknown' end
  local read, name = pcall(exception, exceptions, packed)
  if not read then return 'unknown' end
  return name or filled
end)
