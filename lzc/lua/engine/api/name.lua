-- DNSName. Inside, a name is its wire format.

local core = ...
local type, error, setmetatable, rawget, rawset = type, error, setmetatable, rawget, rawset
local byte, sub, char, format = string.byte, string.sub, string.char, string.format
local lower, gsub, find = string.lower, string.gsub, string.find
local concat = table.concat
local class = core.class
local tonumber = tonumber

local function labels_of(wire)
  local labels, count, position = {}, 0, 1
  local length = wire == '' and 0 or byte(wire, 1)
  while length ~= 0 do
    count = count + 1
    labels[count] = sub(wire, position + 1, position + length)
    position = position + length + 1
    length = byte(wire, position)
  end
  return labels, count
end
core.labels_of = labels_of

local ESCAPED = '[%z\1-\32%.\\\127-\255]'

-- As PowerDNS prints: a dot or a backslash inside a label and what is not printable is escaped.
local function escape(label)
  return (gsub(label, ESCAPED, function(c)
    if c == '.' or c == '\\' then return '\\' .. c end
    return format('\\%03d', byte(c))
  end))
end

-- A name that is not below another has no relative name: what `makeRelative` gives then is empty, and
-- is good for little.
local EMPTY = ''

local function not_empty(wire)
  if wire == EMPTY then error('Caught exception: the name is empty', 0) end
  return wire
end

local to_text = core.remember(function(wire)
  local labels, count = labels_of(not_empty(wire))
  if count == 0 then return '.' end
  for i = 1, count do
    if find(labels[i], ESCAPED) then labels[i] = escape(labels[i]) end
  end
  return concat(labels, '.') .. '.'
end)
core.name_text = to_text

local function fail(text, why)
  error("Caught exception: " .. why .. " in name '" .. text .. "'", 0)
end

local function from_text(text)
  if text == '' or text == '.' then return '\0' end
  local pieces, label, size, i, n = {}, {}, 1, 1, #text
  local function close()
    local octets = concat(label)
    if octets == '' then fail(text, 'empty label') end
    if #octets > 63 then fail(text, 'label over 63 octets') end
    size = size + 1 + #octets
    if size > 255 then fail(text, 'more than 255 octets') end
    pieces[#pieces + 1] = char(#octets) .. octets
    label = {}
  end
  while i <= n do
    local c = sub(text, i, i)
    if c == '.' then
      close()
      if i == n then return concat(pieces) .. '\0' end
    elseif c == '\\' then
      local digits = string.match(text, '^%d%d%d', i + 1)
      if digits then
        -- PowerDNS keeps what an octet holds.
        label[#label + 1] = char(tonumber(digits) % 256)
        i = i + 3
      elseif i == n or find(text, '^%d', i + 1) then
        fail(text, 'bad escape')
      else
        i = i + 1
        label[#label + 1] = sub(text, i, i)
      end
    else
      label[#label + 1] = c
    end
    i = i + 1
  end
  close()
  return concat(pieces) .. '\0'
end
core.name_from_text = from_text

local Name
local function new_name(wire) return setmetatable({wire = wire}, Name) end
core.new_name = new_name

local function wire_of(value)
  local wire = type(value) == 'table' and rawget(value, 'wire')
  if type(wire) ~= 'string' or #wire > 255 then error('DNSName expected', 0) end
  return wire
end

local function is_part_of(name, ancestor)
  name, ancestor = lower(not_empty(name)), lower(not_empty(ancestor))
  local position, last = 1, #name - #ancestor + 1
  while position < last do position = position + byte(name, position) + 1 end
  return position == last and sub(name, last) == ancestor
end

local function chop(self)
  local wire = wire_of(self)
  local length = byte(wire, 1)
  if not length or length == 0 then return false end
  rawset(self, 'wire', sub(wire, length + 2))
  return true
end

Name = class({
  toString = function(self) return to_text(wire_of(self)) end,
  toStringNoDot = function(self)
    local text = to_text(wire_of(self))
    return text == '.' and '' or sub(text, 1, -2)
  end,
  getRawLabels = function(self) return (labels_of(wire_of(self))) end,
  countLabels = function(self) local _, count = labels_of(wire_of(self)) return count end,
  wirelength = function(self) return #wire_of(self) end,
  wireLength = function(self) return #wire_of(self) end,
  isPartOf = function(self, other) return is_part_of(wire_of(self), wire_of(other)) end,
  equal = function(self, text)
    return lower(wire_of(self)) == lower(from_text(core.text_of(text)))
  end,
  chopOff = chop,
  makeRelative = function(self, zone)
    local name, apex = wire_of(self), wire_of(zone)
    if not is_part_of(name, apex) then return new_name(EMPTY) end
    return new_name(sub(name, 1, #name - #apex) .. '\0')
  end,
  canonCompare = function(self, other)
    local a, n = labels_of(lower(wire_of(self)))
    local b, m = labels_of(lower(wire_of(other)))
    while n > 0 and m > 0 do
      if a[n] ~= b[m] then return a[n] < b[m] end
      n, m = n - 1, m - 1
    end
    return n < m
  end,
}, {
  __tostring = function(self) return to_text(wire_of(self)) end,
  __eq = function(a, b) return lower(wire_of(a)) == lower(wire_of(b)) end,
})
