local core = ...
local tonumber, format = tonumber, string.format
local sub, match, gmatch, gsub = string.sub, string.match, string.gmatch, string.gsub
local concat = table.concat
local labels_of, parse, text_of, since = core.labels_of, core.parse, core.text_of, core.since
local api = core.api

local function of_apex()
  local _, count = labels_of(core.zone)
  return count
end
local function of_encloser() return core.encloser end
local labels_behind = since({[407] = of_apex, [501] = of_encloser})
local function by_apex() return core.qname .. core.zone end
local function by_encloser() return core.qname .. core.zone .. core.encloser end
local place_of_name = since({[407] = by_apex, [501] = by_encloser})

-- A function of the labels asked for, of which so many are in front of the zone's apex, or of the
-- wildcard's parent. The same names are asked for again and again.
local function by_name(compute)
  local remembered = core.remember(function()
    local labels, count = labels_of(core.qname)
    return compute(labels, count - labels_behind())
  end)
  return core.export(function() return remembered(place_of_name()) end)
end

-- As inet_aton(3) reads them.
local function of_labels(a, b, c, d)
  local _, canonical = core.python_parse(a .. '.' .. b .. '.' .. c .. '.' .. d)
  return canonical
end

-- Parts that start with a number below 256 are joined as they are, be they followed by what may.
local function of_beginnings(...)
  local parts = {...}
  for i = 1, 4 do
    local digits = match(parts[i], '^%s*%+?(%d+)')
    if not digits or tonumber(digits) > 255 then return nil end
  end
  return concat(parts, '.')
end

local function of_numbers(...)
  local octets = {...}
  for i = 1, 4 do
    local number = match(octets[i], '^%d+$') and tonumber(octets[i])
    if not number or number > 255 then return nil end
    octets[i] = format('%d', number)
  end
  return concat(octets, '.')
end

-- Of "0x" alone, scanf(3) makes 0, or nothing since it is that of a later C library.
local reads_prefix = since({[407] = true, [501] = false})

-- As scanf(3) reads "%2x" four times: at most two characters, of which one may be a sign.
local function scanned(label, position)
  local octets = {}
  for i = 1, 4 do
    local sign, digits = match(label, '^([+-]?)(%x%x?)', position)
    if not digits then return nil end
    if match(label, '^0[xX]', position) then
      if not reads_prefix then return nil end
      position = position + 1
    end
    if sign ~= '' then digits = sub(digits, 1, 1) end
    local value = tonumber(digits, 16)
    octets[i] = sign == '-' and (4294967296 - value) % 4294967296 or value
    position = position + #sign + #digits
  end
  return octets
end

-- Eight digits behind two characters.
local function of_ten(label)
  local octets = #label == 10 and scanned(label, 3)
  return octets and format('%.0f.%.0f.%.0f.%.0f', octets[1], octets[2], octets[3], octets[4])
end

-- Eight digits at the end.
local function of_ending(label)
  local octets = #label >= 8 and scanned(label, #label - 7)
  if not octets then return nil end
  for i = 1, 4 do
    if octets[i] > 255 then return nil end
  end
  return concat(octets, '.')
end

local of_parts = since({[407] = of_beginnings, [409] = of_numbers})
-- What stands in front of the first hexadecimal digit is a word, and not looked at.
local function whole(label) return label end
local function behind_word(label) return (gsub(label, '^%X+', '')) end
local numbers_in = since({[407] = whole, [409] = behind_word})
local of_hex = since({[407] = of_ten, [409] = of_ending})

api.createForward = by_name(function(labels, count)
  if count >= 4 then
    return of_labels(labels[1], labels[2], labels[3], labels[4]) or '0.0.0.0'
  end
  if count < 1 then return '0.0.0.0' end
  local label, parts, n = numbers_in(labels[1]), {}, 0
  for part in gmatch(label, '[^-]+') do
    n = n + 1
    parts[n] = part
  end
  if n < 4 then return of_hex(label) or '0.0.0.0' end
  return of_parts(parts[n - 3], parts[n - 2], parts[n - 1], parts[n]) or '0.0.0.0'
end)

-- What is no address is an error, or none.
local function canonical_of(text)
  local _, canonical = parse(text)
  return canonical
end
local function canonical_six_or_none(text)
  local packed, canonical = core.python_parse(text)
  return packed and #packed == 16 and canonical or '::'
end
local read = since({[407] = canonical_of, [409] = canonical_six_or_none})

local function of_label(label) return read((gsub(label, '-', ':'))) end
local function of_digits_or_label(label)
  local digits = match(label, ('%x'):rep(32) .. '$')
  if not digits then return of_label(label) end
  return read((gsub(sub(digits, 1, 28), '....', '%0:') .. sub(digits, 29)))
end
local of_one = since({[407] = of_label, [409] = of_digits_or_label})

api.createForward6 = by_name(function(labels, count)
  if count == 1 then return of_one(labels[1]) end
  if count == 8 then return read(concat(labels, ':', 1, 8)) end
  return '::'
end)

local function filtered(address, group, fallback)
  local packed = parse(address)
  if core.group_match(group, packed) then return text_of(address) end
  if fallback ~= nil then return text_of(fallback) end
  return #packed == 4 and '0.0.0.0' or '::'
end
local function listed(address, group, fallback)
  local found = filtered(address, group, fallback)
  return found == '' and {} or {found}
end
api.filterForward = core.export(since({[407] = filtered, [409] = listed}))
