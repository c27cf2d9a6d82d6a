-- The formats of createReverse and createReverse6, which PowerDNS hands to Boost.Format: `%1%`, `%|1$5s|`
-- or, as in printf, `%1$05s` stand for a value, `%s` for the next one, `%20t` for blanks up to a column.
-- All values are texts, so types of numbers make no difference.

local core = ...
local error, tonumber = error, tonumber
local byte, sub, match, find = string.byte, string.sub, string.match, string.find
local rep, concat, floor, max = string.rep, table.concat, math.floor, math.max

-- More would not fit into a name, nor into a string of TXT.
local MAX_WIDTH = 65535

local function number_of(digits)
  local number = tonumber(digits)
  if number > MAX_WIDTH then error('Caught exception: a format is too wide', 0) end
  return number
end

-- What stands between `%`, or `%|`, and the end of a directive: the directive, or nil for none, and where
-- it ends.
local function specification(pattern, position, in_bars)
  local item = {fill = ' '}
  local digits, after = match(pattern, '^([1-9]%d*)%$()', position)
  if digits then item.argument, position = tonumber(digits), after end
  local flags, width, dot, precision
  flags, width, position = match(pattern, '^([-+ #0=_\']*)%*?(%d*)()', position)
  dot, precision, after = match(pattern, '^(%.)%*?(%d*)()', position)
  if dot then position = after end
  item.width = width == '' and 0 or number_of(width)
  item.space = find(flags, ' ', 1, true)
  if find(flags, '0', 1, true) and not find(flags, '-', 1, true) then
    item.fill = '0'
  elseif find(flags, '=', 1, true) then
    item.side = 'middle'
  elseif find(flags, '-', 1, true) then
    item.side = 'left'
  end
  position = match(pattern, '^[hl][hl]?()', position) or match(pattern, '^I[36][24]()', position)
    or match(pattern, '^[LzjwI]()', position) or position
  local kind = sub(pattern, position, position)
  if in_bars and kind == '|' then return item, position + 1 end
  if not find(kind, '^[abcdefginopstuxACEFGSTX]$') then return nil end
  position = position + 1
  if kind == 't' or kind == 'T' then
    item.column = item.width
    if kind == 'T' then
      item.fill = sub(pattern, position, position)
      if item.fill == '' then return nil end
      position = position + 1
    end
  elseif kind == 'n' then
    item.nothing = true
  elseif kind == 'c' or kind == 'C' then
    item.most = 1
  elseif (kind == 's' or kind == 'S') and dot and precision ~= '' then
    item.most = number_of(precision)
  end
  if in_bars then
    if byte(pattern, position) ~= 124 then return nil end
    position = position + 1
  end
  return item, position
end

-- Formats that are remembered: one of 256 octets takes up to 20 KB.
local KEPT = 64

-- The texts and directives of a format; false for what is none.
local parsed = core.remember(function(pattern)
  local items, count, position = {}, 0, 1
  local numbered, following = false, 0
  while true do
    local at = find(pattern, '%', position, true)
    count = count + 1
    items[count] = sub(pattern, position, (at or 0) - 1)
    if not at then return items end
    local digits, after = match(pattern, '^([1-9]%d*)%%()', at + 1)
    count = count + 1
    if byte(pattern, at + 1) == 37 then
      items[count], position = '%', at + 2
    elseif digits then
      items[count], position = {argument = tonumber(digits), width = 0, fill = ' '}, after
      numbered = true
    else
      local in_bars = byte(pattern, at + 1) == 124
      local item, stop = specification(pattern, in_bars and at + 2 or at + 1, in_bars)
      if not item then return false end
      if not item.column and not item.nothing then
        if item.argument then
          numbered = true
        else
          following = following + 1
          item.argument = following
        end
      end
      items[count], position = item, stop
    end
    -- Both in one format are an error.
    if numbered and following > 0 then return false end
  end
end, KEPT)

local function padded(item, text)
  if item.most then text = sub(text, 1, item.most) end
  if item.space then text = ' ' .. text end
  local missing = max(item.width - #text, 0)
  if missing == 0 then return text end
  if item.side == 'left' then return text .. rep(' ', missing) end
  if item.side == 'middle' then
    local before = floor((missing + 1) / 2)
    return rep(' ', before) .. text .. rep(' ', missing - before)
  end
  return rep(item.fill, missing) .. text
end

-- The format with the values in it, or nil where that is none. Values that are not there are empty.
function core.fill(pattern, values)
  local items = parsed(pattern)
  if not items then return nil end
  local pieces, size = {}, 0
  for i = 1, #items do
    local item = items[i]
    if item.column then
      pieces[i] = rep(item.fill, max(item.column - size, 0))
    elseif item.nothing then
      pieces[i] = ''
    elseif item.width then
      local value = values[item.argument]
      pieces[i] = value and padded(item, value) or ''
    else
      pieces[i] = item
    end
    size = size + #pieces[i]
    if size > MAX_WIDTH then error('Caught exception: a format is too wide', 0) end
  end
  return concat(pieces)
end
