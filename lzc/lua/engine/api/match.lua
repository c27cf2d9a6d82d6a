-- Lua patterns, matched in Lua: slowly, but under the hooks that end an execution. What a pattern may
-- cost LuaJIT's own matcher, which no hook ends, is estimated here too.

local core = ...
local error = error
local byte, char, sub, find = string.byte, string.char, string.sub, string.find
local remember = core.remember

local MAX_PATTERN = 2000

local function malformed(why) error('malformed pattern (' .. why .. ')', 0) end

-- Where the item that begins at `i` ends: one octet, an escaped one, or a set in brackets.
local function item_end(pattern, i)
  local c = sub(pattern, i, i)
  if c == '%' then
    if i == #pattern then malformed("ends with '%'") end
    return i + 1
  end
  if c ~= '[' then return i end
  i = i + 1
  if sub(pattern, i, i) == '^' then i = i + 1 end
  repeat
    if i > #pattern then malformed("missing ']'") end
    c = sub(pattern, i, i)
    i = i + (c == '%' and 2 or 1)
  until sub(pattern, i, i) == ']'
  return i
end

-- Which octets an item stands for, found out as they come.
local function new_set(item)
  local known = {}
  if item == '.' then return function() return true end end
  if #item == 1 then
    local only = byte(item)
    return function(c) return c == only end, only
  end
  item = '^' .. item
  return function(c)
    local hit = known[c]
    if hit == nil then
      hit = find(char(c), item) ~= nil
      known[c] = hit
    end
    return hit
  end
end

local function parse_escape(pattern, i)
  local c = sub(pattern, i + 1, i + 1)
  if c == 'b' then
    if i + 3 > #pattern then malformed("missing arguments to '%b'") end
    return {kind = 'balance', open = byte(pattern, i + 2), close = byte(pattern, i + 3)}, i + 4
  elseif c == 'f' then
    if sub(pattern, i + 2, i + 2) ~= '[' then malformed("missing '[' after '%f'") end
    local stop = item_end(pattern, i + 2)
    return {kind = 'frontier', set = new_set(sub(pattern, i + 2, stop))}, stop + 1
  elseif find(c, '^%d') then
    return {kind = 'again', index = c + 0}, i + 2
  end
end

-- A pattern as a list of nodes.
local function parse(pattern)
  if #pattern > MAX_PATTERN then error('pattern too complex', 0) end
  local nodes, count, i = {anchored = byte(pattern) == 94}, 0, 1
  if nodes.anchored then i = 2 end
  while i <= #pattern do
    local c = sub(pattern, i, i)
    local node
    if c == '(' then
      node, i = {kind = 'open'}, i + 1
      if sub(pattern, i, i) == ')' then node, i = {kind = 'position'}, i + 1 end
    elseif c == ')' then
      node, i = {kind = 'close'}, i + 1
    elseif c == '$' and i == #pattern then
      node, i = {kind = 'last'}, i + 1
    else
      local after
      if c == '%' then node, after = parse_escape(pattern, i) end
      if node then
        i = after
      else
        local stop = item_end(pattern, i)
        local item = sub(pattern, i, stop)
        if find(item, '^%%%W') then item = sub(item, 2) end
        local times = find(pattern, '^[*+?-]', stop + 1) and sub(pattern, stop + 1, stop + 1)
        local set, only = new_set(item)
        if item == '.' and c == '%' then set, only = function(o) return o == 46 end, 46 end
        node = {kind = 'one', set = set, only = only, times = times}
        i = stop + (times and 2 or 1)
      end
    end
    count = count + 1
    nodes[count] = node
  end
  nodes.count = count
  return nodes
end

local parsed = remember(parse)

local function apart(a, b)
  if b.kind == 'last' then return true end
  if b.kind ~= 'one' or b.times and b.times ~= '+' then return false end
  if b.only then return not a.set(b.only) end
  if a.only then return not b.set(a.only) end
  for c = 0, 255 do
    if a.set(c) and b.set(c) then return false end
  end
  return true
end

-- The node that a repeated one is followed by; captures take no octet.
local function follower(nodes, k)
  repeat k = k + 1 until not nodes[k] or nodes[k].kind == 'one' or nodes[k].kind == 'last'
    or nodes[k].kind == 'balance' or nodes[k].kind == 'again' or nodes[k].kind == 'frontier'
  return nodes[k]
end

-- How often positions may be chosen among (as an exponent of the subject's size, and as a factor),
-- and how often the subject may be walked through, for one start.
local shape = remember(function(pattern)
  local nodes = parsed(pattern)
  local exponent, factor, walks = 0, 1, 0
  for k = 1, nodes.count do
    local node = nodes[k]
    if node.kind == 'balance' or node.kind == 'again' then walks = walks + 1 end
    local after = node.times and follower(nodes, k)
    if after then
      if node.times == '?' then
        factor = factor * 2
      else
        walks = walks + 1
        if node.times == '-' or not apart(node, after) then exponent = exponent + 1 end
      end
    end
  end
  return {exponent = exponent, factor = factor * (1 + #pattern / 32), walks = walks,
          nodes = nodes.count + 1, anchored = nodes.anchored}
end)

-- Steps that LuaJIT's matcher takes at most.
function core.steps(size, pattern, anywhere)
  local s = shape(pattern)
  local starts = (s.anchored and not anywhere) and 1 or size + 1
  return starts * (size + 1) ^ s.exponent * s.factor * (s.nodes + size * s.walks)
end

-- One attempt at one place, with its captures.
local function matcher(text, nodes)
  local size = #text
  local starts, stops, level = {}, {}, 0
  local at

  local function balance(node, i)
    if byte(text, i) ~= node.open then return nil end
    local depth = 1
    for j = i + 1, size do
      local c = byte(text, j)
      if c == node.close then
        depth = depth - 1
        if depth == 0 then return j + 1 end
      elseif c == node.open then
        depth = depth + 1
      end
    end
  end

  local function repeated(node, i, k)
    local set, times = node.set, node.times
    if times == '?' then
      if i <= size and set(byte(text, i)) then
        local stop = at(i + 1, k + 1)
        if stop then return stop end
      end
      return at(i, k + 1)
    elseif times == '-' then
      while true do
        local stop = at(i, k + 1)
        if stop then return stop end
        if i > size or not set(byte(text, i)) then return nil end
        i = i + 1
      end
    end
    local j = i
    while j <= size and set(byte(text, j)) do j = j + 1 end
    if times == '+' then i = i + 1 end
    while j >= i do
      local stop = at(j, k + 1)
      if stop then return stop end
      j = j - 1
    end
  end

  local function close(i, k)
    local index = level
    while index > 0 and stops[index] do index = index - 1 end
    if index == 0 then error('invalid pattern capture', 0) end
    stops[index] = i - 1
    local stop = at(i, k + 1)
    if not stop then stops[index] = false end
    return stop
  end

  local function open(i, k, stop_at)
    level = level + 1
    if level > 32 then error('too many captures', 0) end
    starts[level], stops[level] = i, stop_at
    local stop = at(i, k + 1)
    if not stop then level = level - 1 end
    return stop
  end

  function at(i, k)
    while true do
      local node = nodes[k]
      if not node then return i end
      local kind = node.kind
      if kind == 'one' then
        if node.times then return repeated(node, i, k) end
        if i > size or not node.set(byte(text, i)) then return nil end
        i = i + 1
      elseif kind == 'open' then
        return open(i, k, false)
      elseif kind == 'position' then
        return open(i, k, 'position')
      elseif kind == 'close' then
        return close(i, k)
      elseif kind == 'last' then
        if i <= size then return nil end
      elseif kind == 'balance' then
        i = balance(node, i)
        if not i then return nil end
      elseif kind == 'frontier' then
        local set = node.set
        if set(byte(text, i - 1) or 0) or not set(byte(text, i) or 0) then return nil end
      else
        local index = node.index
        if index < 1 or index > level or not stops[index] then error('invalid capture index', 0) end
        -- LuaJIT takes a position for a capture of more octets than there are.
        if stops[index] == 'position' then return nil end
        local piece = sub(text, starts[index], stops[index])
        if sub(text, i, i + #piece - 1) ~= piece then return nil end
        i = i + #piece
      end
      k = k + 1
    end
  end

  local function captures(first, stop)
    local found = {}
    for index = 1, level do
      if stops[index] == 'position' then
        found[index] = starts[index]
      elseif stops[index] then
        found[index] = sub(text, starts[index], stops[index])
      else
        error('unfinished capture', 0)
      end
    end
    return first, stop - 1, found, level
  end

  return function(first)
    level = 0
    local stop = at(first, 1)
    if stop then return captures(first, stop) end
  end
end

-- First and last place of the first match from `init` on, its captures and their number. With
-- `anywhere`, "^" is no anchor but an octet, as in gmatch.
function core.search(text, pattern, init, anywhere)
  if anywhere and byte(pattern) == 94 then pattern = '%' .. pattern end
  local nodes = parsed(pattern)
  local try = matcher(text, nodes)
  for first = init, nodes.anchored and init or #text + 1 do
    local start, stop, found, count = try(first)
    if start then return start, stop, found, count end
  end
end
