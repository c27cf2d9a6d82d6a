local core = ...
local type, error, next, tonumber, pcall = type, error, next, tonumber, pcall
local sub, match, gsub, format = string.sub, string.match, string.gsub, string.format
local concat, floor, char = table.concat, math.floor, string.char
local export, labels_of, parse, text_of, fill = core.export, core.labels_of, core.parse, core.text_of, core.fill
local since = core.since
local api = core.api

-- The format and the exceptions are looked at whether they are needed or not.
local function text_only(value) text_of(value) end
local function text_or_texts(value)
  if type(value) ~= 'table' or core.is_object(value) then return text_only(value) end
  for key, inner in next, value do text_of(key) text_of(inner) end
end
local check_name = since({[407] = text_only, [501] = text_or_texts})

local function check(pattern, exceptions)
  text_of(pattern, 'format')
  if exceptions == nil then return end
  if type(exceptions) ~= 'table' or core.is_object(exceptions) then
    error('table of exceptions expected', 0)
  end
  for address, name in next, exceptions do text_of(address, 'address') check_name(name) end
end

-- What a table of exceptions says about an address, or nil. The port of one is part of it.
local function exception(exceptions, packed)
  if exceptions == nil then return nil end
  for address, name in next, exceptions do
    local octets, _, port = parse(address)
    if octets == packed and port == 0 then return text_of(name) end
  end
end

-- What no name can be made of is an error to the record, or a word.
local function or_word(word)
  return function(make, ...)
    local made, name = pcall(make, ...)
    return made and name or word
  end
end
local function or_error(make, ...) return make(...) or 'error' end

-- As atoi(3) reads it.
local function hex_octet(text)
  local digits = match(text, '^%s*([+-]?%d+)')
  return format('%02x', digits and core.int(tonumber(digits)) % 4294967296 or 0)
end

local make_name = since({[407] = or_error, [409] = or_word('error')})
local function name_of(pattern, exceptions, a, b, c, d)
  if exceptions ~= nil then
    local name = exception(exceptions, (parse(a .. '.' .. b .. '.' .. c .. '.' .. d)))
    if name then return name end
  end
  return fill(text_of(pattern), {
    a, b, c, d, a .. '-' .. b .. '-' .. c .. '-' .. d,
    hex_octet(a) .. hex_octet(b) .. hex_octet(c) .. hex_octet(d),
  })
end

api.createReverse = export(function(pattern, exceptions)
  check(pattern, exceptions)
  local labels, count = labels_of(core.qname)
  if count < 4 then return 'unknown' end
  return make_name(name_of, pattern, exceptions, labels[4], labels[3], labels[2], labels[1])
end)

-- A name neither begins nor ends with a hyphen.
local function as_it_is(text) return text end
local function with_zeros(text)
  return (match(text, '^-') and '0' or '') .. text .. (match(text, '-$') and '0' or '')
end
local dashed = since({[407] = as_it_is, [501] = with_zeros})

local function name_of_six(pattern, exceptions, labels)
  local values, octets, groups, packed = {}, {}, {}, {}
  for i = 1, 32 do
    values[i] = labels[33 - i]
    octets[i] = sub(values[i], 1, 1)
  end
  for i = 1, 8 do groups[i] = concat(octets, '', i * 4 - 3, i * 4) end
  for i = 1, 8 do
    if not match(groups[i], '^%x%x%x%x$') then return nil end
    local number = tonumber(groups[i], 16)
    packed[i] = char(floor(number / 256), number % 256)
    values[33 + i] = groups[i]
  end
  packed = concat(packed)
  values[33] = dashed((gsub(core.address_text(packed), ':', '-')))
  local filled = fill(text_of(pattern), values)
  return filled and (exception(exceptions, packed) or filled)
end
local make_name_of_six = since({[407] = or_word('unknown'), [409] = or_word('error')})

api.createReverse6 = export(function(pattern, exceptions)
  check(pattern, exceptions)
  local labels, count = labels_of(core.qname)
  if count < 32 then return 'unknown' end
  return make_name_of_six(name_of_six, pattern, exceptions, labels)
end)
