local core = ...
local tonumber, format = tonumber, string.format
local sub, match, gmatch, gsub, concat = string.sub, string.match, string.gmatch, string.gsub, table.concat
local labels_of, parse, text_of = core.labels_of, core.parse, core.text_of
local api = core.api

-- A function of the labels asked for, of which so many are in front of the zone's apex. The same names
-- are asked for again and again.
local function by_name(compute)
  local remembered = core.remember(function()
    local labels, count = labels_of(core.qname)
    local _, apex = labels_of(core.zone)
    return compute(labels, count - apex)
  end)
  return core.export(function() return remembered(core.qname .. core.zone) end)
end

-- As inet_aton(3) reads them.
local function of_labels(a, b, c, d)
  local _, canonical = core.python_parse(a .. '.' .. b .. '.' .. c .. '.' .. d)
  return canonical
end

-- Parts that start with a number below 256 are joined as they are, be they followed by what may.
local function of_parts(...)
  local parts = {...}
  for i = 1, 4 do
    local digits = match(parts[i], '^%s*%+?(%d+)')
    if not digits or tonumber(digits) > 255 then return nil end
  end
  return concat(parts, '.')
end

local function of_hex(label)
  local octets = {}
  local position = 3
  for i = 1, 4 do
    -- As scanf(3) has it: at most two characters, of which one may be a sign.
    local sign, digits = match(label, '^([+-]?)(%x%x?)', position)
    if not digits then return nil end
    if match(label, '^0[xX]', position) then position = position + 1 end
    if sign ~= '' then digits = sub(digits, 1, 1) end
    local value = tonumber(digits, 16)
    octets[i] = format('%.0f', sign == '-' and (4294967296 - value) % 4294967296 or value)
    position = position + #sign + #digits
  end
  return concat(octets, '.')
end

api.createForward = by_name(function(labels, count)
  if count >= 4 then
    return of_labels(labels[1], labels[2], labels[3], labels[4]) or '0.0.0.0'
  end
  if count < 1 then return '0.0.0.0' end
  local parts, n = {}, 0
  for part in gmatch(labels[1], '[^-]+') do
    n = n + 1
    parts[n] = part
  end
  -- The first of the four may carry a word in front: only a part of its own is one.
  if n >= 4 then
    return of_parts(parts[n - 3], parts[n - 2], parts[n - 1], parts[n]) or '0.0.0.0'
  end
  if #labels[1] == 10 then return of_hex(labels[1]) or '0.0.0.0' end
  return '0.0.0.0'
end)

api.createForward6 = by_name(function(labels, count)
  local text
  if count == 1 then
    text = gsub(labels[1], '-', ':')
  elseif count == 8 then
    text = concat(labels, ':', 1, 8)
  else
    return '::'
  end
  local _, canonical = parse(text)
  return canonical
end)

api.filterForward = core.export(function(address, group, fallback)
  local packed = parse(address)
  if core.group_match(group, packed) then return text_of(address) end
  if fallback ~= nil then return text_of(fallback) end
  return #packed == 4 and '0.0.0.0' or '::'
end)
