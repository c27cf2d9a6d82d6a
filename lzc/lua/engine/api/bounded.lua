-- Functions of the library that may spend long in C, where no hook ends them: what a call can cost is
-- estimated before it is made. What is cheap, as nearly everything is, runs at native speed; patterns
-- that may not be are matched in Lua; the rest is charged in time.

local core = ...
local type, error, tonumber, tostring, next, unpack, select, rawget =
  type, error, tonumber, tostring, next, unpack, select, rawget
local floor, log, min, max = math.floor, math.log, math.min, math.max
local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub
local rep, upper, lower, reverse = string.rep, string.upper, string.lower, string.reverse
local sub, format, concat = string.sub, string.format, table.concat
local insert, sort, time = table.insert, table.sort, os.time
local raw_pcall, getinfo = pcall, debug.getinfo
local guard, charge, search, steps = core.guard, core.charge, core.search, core.steps
local raw_getmetatable = core.raw_getmetatable
local MAX_STRING = core.max_string

-- Steps of LuaJIT's matcher that a call may take: some milliseconds.
local MAX_STEPS = 1e6
-- Octets of a text that are cheap whatever is done to them once.
local SMALL = 4096
-- Arguments of a function that is not worth a look.
local FEW = 4
-- Calls from C into the record's code, inside each other: each takes 9 kB of the C stack.
local MAX_DEPTH = 100

local function text_of(value)
  local t = type(value)
  if t == 'string' then return value end
  if t == 'number' then return tostring(value) end
  error('string expected, got ' .. (value == nil and 'no value' or t), 0)
end

-- For how many items of a pattern the number of steps may grow with the size of the text: each
-- quantifier, what walks the text by itself, and starting anywhere.
local function crude(pattern)
  local _, quantifiers = gsub(pattern, '[*+?%-]', '')
  local _, walks = gsub(pattern, '%%[b%d]', '')
  return quantifiers + walks + (sub(pattern, 1, 1) == '^' and 0 or 1)
end

-- How large a text may be to be searched for a pattern, or with `anywhere` for what may start with
-- "^", without a second thought. Known of short patterns; most are written in a record.
local MAX_PATTERN, MAX_KNOWN, MAX_WORK = 64, 1024, 1e5
local small, small_anywhere, known = {}, {}, 0

local function size_for(exponent, length)
  local size = exponent > 0 and MAX_WORK ^ (1 / exponent) - 1 or SMALL
  return floor(min(size, MAX_WORK / max(length, 1), SMALL - 1))
end

local function learn(pattern)
  if known >= MAX_KNOWN then small, small_anywhere, known = {}, {}, 0 end
  local exponent, length = crude(pattern), #pattern
  small[pattern], small_anywhere[pattern] = size_for(exponent, length), size_for(exponent + 1, length)
  known = known + 1
end

-- Whether LuaJIT's own matcher may do it.
local function is_cheap(text, pattern, anywhere)
  local size = #text
  if #pattern > SMALL then charge(#pattern * 20) end
  if #pattern <= MAX_PATTERN then
    if not small[pattern] then learn(pattern) end
    if size <= (anywhere and small_anywhere or small)[pattern] then return true end
  end
  if size > SMALL then charge(size * 10) end
  return steps(size, pattern, anywhere) <= MAX_STEPS
end

-- As C takes a number for an int: one that does not fit is the smallest of all, as on most processors.
local SMALLEST = -2147483648
local function int(value)
  if not (value > SMALLEST - 1 and value < -SMALLEST) then return SMALLEST end
  return value < 0 and -floor(-value) or floor(value)
end

local function start_of(text, init)
  init = int(init == nil and 1 or tonumber(init) or error('number expected', 0))
  if init < 0 then init = #text + 1 + init end
  return min(max(init, 1), #text + 1)
end

local function whole_or_captures(text, start, stop, found, count)
  if count == 0 then return sub(text, start, stop) end
  return unpack(found, 1, count)
end

-- LuaJIT as some versions have it finds nothing behind the end of a text, where others find the end.
local function is_anywhere() return false end
local function is_behind(text, init)
  return init ~= nil and int(tonumber(init) or 1) > #text_of(text) + 1
end
local finds_nothing = core.since({[407] = is_anywhere, [501] = is_behind})

local function careful_find(text, pattern, init, plain)
  if finds_nothing(text, init) then return nil end
  text, pattern = text_of(text), text_of(pattern)
  if #pattern > SMALL then charge(#pattern * 20) end
  if plain or not find(pattern, '[%^$*+?.([%%-]') then
    plain = true
    if #pattern <= MAX_PATTERN and not small[pattern] then learn(pattern) end
    charge(#text * #pattern / 8)
  elseif not is_cheap(text, pattern) then
    local start, stop, found, count = search(text, pattern, start_of(text, init))
    if start then return start, stop, unpack(found, 1, count) end
    return nil
  end
  return find(text, pattern, init, plain)
end

local function lua_find(text, pattern, init, plain)
  local most = small[pattern]
  if most and type(text) == 'string' and #text <= most and (init == nil or init == 1) then
    return find(text, pattern, init, plain)
  end
  return careful_find(text, pattern, init, plain)
end

local function careful_match(text, pattern, init)
  text, pattern = text_of(text), text_of(pattern)
  if is_cheap(text, pattern) then return match(text, pattern, init) end
  local start, stop, found, count = search(text, pattern, start_of(text, init))
  if start then return whole_or_captures(text, start, stop, found, count) end
  return nil
end

local function lua_match(text, pattern, init)
  local most = small[pattern]
  if most and type(text) == 'string' and #text <= most then return match(text, pattern, init) end
  return careful_match(text, pattern, init)
end

local next_match = guard(function(text, pattern, position)
  if position > #text + 1 then return nil end
  local start, stop, found, count = search(text, pattern, position, true)
  if start then return start, stop, found, count end
end)

local function careful_gmatch(text, pattern)
  text, pattern = text_of(text), text_of(pattern)
  if is_cheap(text, pattern, true) then return gmatch(text, pattern) end
  local position = 1
  return function()
    local start, stop, found, count = next_match(text, pattern, position)
    if not start then return nil end
    position = stop >= start and stop + 1 or start + 1
    return whole_or_captures(text, start, stop, found, count)
  end
end

local function lua_gmatch(text, pattern)
  local most = small_anywhere[pattern]
  if most and type(text) == 'string' and #text <= most then return gmatch(text, pattern) end
  return careful_gmatch(text, pattern)
end

local function filled(replacement, whole, found, count)
  return (gsub(replacement, '%%(.?)', function(c)
    if c == '0' or c == '1' and count == 0 then return whole end
    local index = tonumber(c)
    if not index then return c end
    return found[index] or error('invalid capture index', 0)
  end))
end

-- Replaces in Lua; what the record gave to replace with is called as if the record did it.
local function replace(text, pattern, replacement, limit)
  local pieces, count, position, done = {}, 0, 1, 0
  local anchored = sub(pattern, 1, 1) == '^'
  local find_next = guard(function() return search(text, pattern, position) end)
  while done < limit and position <= #text + 1 do
    local start, stop, found, captures = find_next()
    if not start then break end
    done = done + 1
    local whole = sub(text, start, stop)
    local first = captures > 0 and found[1] or whole
    local value
    if type(replacement) == 'function' then
      if captures == 0 then value = replacement(whole)
      else value = replacement(unpack(found, 1, captures)) end
    elseif type(replacement) == 'table' then
      value = replacement[first]
    else
      value = filled(replacement, whole, found, captures)
    end
    if not value then value = whole end
    pieces[count + 1], pieces[count + 2] = sub(text, position, start - 1), text_of(value)
    count, position = count + 2, stop + 1
    if stop < start then
      count = count + 1
      pieces[count] = sub(text, start, start)
      position = start + 1
    end
    if anchored then break end
  end
  pieces[count + 1] = sub(text, position)
  return concat(pieces), done
end

local depth = 0
function core.enter()
  if depth >= MAX_DEPTH then error('C stack overflow', 0) end
  depth = depth + 1
end
local enter = core.enter
function core.leave(...)
  depth = depth - 1
  return ...
end
function core.surface() depth = 0 end

local function settle(ok, ...)
  depth = depth - 1
  if not ok then error((...), 0) end
  return ...
end

local function replace_by_text(text, pattern, replacement, limit)
  text, pattern, replacement = text_of(text), text_of(pattern), text_of(replacement)
  if not is_cheap(text, pattern) then return nil end
  if (#text + 1) * #replacement > MAX_STRING then
    local _, times = gsub(text, pattern, '', limit)
    if times * #replacement > MAX_STRING then error('resulting string too large', 0) end
  end
  return gsub(text, pattern, replacement, limit)
end

local gsub_text = guard(function(text, pattern, replacement, limit)
  local most = small[pattern]
  if most and type(text) == 'string' and #text <= most and type(replacement) == 'string'
    and (#text + 1) * #replacement <= MAX_STRING then
    return gsub(text, pattern, replacement, limit)
  end
  return replace_by_text(text, pattern, replacement, limit)
end)

local cheap = guard(function(text, pattern) return is_cheap(text_of(text), text_of(pattern)) end)

local function lua_gsub(text, pattern, replacement, limit)
  local t = type(replacement)
  if t == 'function' or t == 'table' then
    if cheap(text, pattern) then
      if t == 'table' and not raw_getmetatable(replacement) then
        return gsub(text, pattern, replacement, limit)
      end
      enter()
      return settle(raw_pcall(gsub, text, pattern, replacement, limit))
    end
  else
    local result, times = gsub_text(text, pattern, replacement, limit)
    if result then return result, times end
    replacement = text_of(replacement)
  end
  limit = limit == nil and #text + 1 or int(tonumber(limit) or error('number expected', 0))
  return replace(text_of(text), text_of(pattern), replacement, limit)
end

local function lua_rep(text, count, separator)
  local times = tonumber(count)
  if times then
    local unit = type(text) == 'string' and text or type(text) == 'number' and tostring(text) or ''
    local size = #unit
    if separator then size = size + #(type(separator) == 'number' and tostring(separator) or separator) end
    size = size * times
    if size > SMALL then
      if size > MAX_STRING then error('resulting string too large', 0) end
      charge(size)
    end
  end
  return rep(text, count, separator)
end

-- Walking a text once, in C.
local function walking(f)
  return guard(function(text, ...)
    if type(text) == 'string' and #text > SMALL then charge(#text) end
    return f(text, ...)
  end)
end

-- LuaJIT would move as many elements as lie between a place before the table and its end. A few may. A
-- place that is no int it takes for one before the table.
local MOST_BEFORE = 100
local function lua_insert(...)
  local list, place = ...
  if select('#', ...) == 3 and type(list) == 'table' then
    local at = tonumber(place)
    if at then
      if not (at >= -MOST_BEFORE and at < -SMALLEST) then error('bad argument #2 to insert (position out of bounds)', 0) end
      charge(max(#list - at, 0) * 10)
    end
  end
  return insert(...)
end

-- LuaJIT's quicksort compares as often as a list is long, squared, where that is made for it. What would be
-- long then is compared in Lua, where hooks end it: so many nanoseconds are not.
local MAX_SORT = 2e6
local function less(a, b) return a < b end

-- What C is to sort, and with what to compare: an empty list where it is done, as nothing of the record
-- was to run.
local SORTED = {}
local function sorted(list, comparator)
  local count, longest, is_plain = #list, 0, comparator == nil
  for i = 1, count do
    local value = rawget(list, i)
    local t = type(value)
    if t == 'string' then
      if #value > longest then longest = #value end
    elseif t ~= 'number' then
      is_plain = false
    end
  end
  charge(count * log(count + 1) * (20 + longest / 10))
  if count * count / 4 * (10 + longest / 4) <= MAX_SORT then return list, comparator end
  if is_plain then
    sort(list, less)
    return SORTED
  end
  if comparator == nil then return list, less end
  if type(comparator) ~= 'function' or getinfo(comparator, 'S').what ~= 'C' then return list, comparator end
  return list, function(a, b) return comparator(a, b) end
end
local sort_if_plain = guard(sorted)

local function lua_sort(list, comparator)
  if type(list) == 'table' then list, comparator = sort_if_plain(list, comparator) end
  enter()
  return settle(raw_pcall(sort, list, comparator))
end

local function lua_tonumber(...)
  local value = ...
  if type(value) == 'string' and #value > SMALL then return nil end
  return tonumber(...)
end

-- The same long text may be there thousands of times, and each is read where it is taken for a number.
local weigh = guard(function(...)
  local values, count, size = {...}, select('#', ...), 0
  for i = 1, count do
    local value = values[i]
    if type(value) == 'string' then size = size + #value end
  end
  core.ours(count * 8)
  if size > SMALL then charge(size * 2) end
end)

local function taking_numbers(f)
  return guard(function(...)
    if select('#', ...) > FEW then weigh(...) end
    return f(...)
  end)
end

-- Objects may print themselves by formatting others, and fields of a time may be found by looking at the
-- time. With few instructions that is soon over; with many, LuaJIT takes seconds to come back from as
-- deep as its stack reaches.
local deep_format, lua_time = format, time
local many = core.exec_limit == 0 or core.exec_limit > 10000
if many then
  deep_format = function(...)
    enter()
    return settle(raw_pcall(format, ...))
  end
  lua_time = function(...)
    enter()
    return settle(raw_pcall(time, ...))
  end
end

local function lua_format(...)
  if select('#', ...) > FEW then weigh(...) end
  return deep_format(...)
end

-- What these spend on themselves, where it is counted: they run the record's functions, so the hook
-- stays on.
if core.exact then
  local credit = core.credit
  local function discounted(f, cost)
    local function paid(...)
      credit(cost)
      return ...
    end
    return function(...) return paid(f(...)) end
  end
  lua_gsub, lua_sort = discounted(lua_gsub, 27), discounted(lua_sort, 41)
  lua_format = discounted(lua_format, many and 42 or 21)
  if many then lua_time = discounted(lua_time, 33) end
end

core.bounded = {
  string = {
    find = guard(lua_find), match = guard(lua_match), gmatch = guard(lua_gmatch), gsub = lua_gsub,
    format = lua_format, rep = guard(lua_rep), upper = walking(upper), lower = walking(lower),
    reverse = walking(reverse), char = taking_numbers(string.char),
  },
  math = {max = taking_numbers(math.max), min = taking_numbers(math.min)},
  bit = {
    band = taking_numbers(bit.band), bor = taking_numbers(bit.bor), bxor = taking_numbers(bit.bxor),
  },
  time = lua_time,
  table = {insert = guard(lua_insert), sort = lua_sort},
  tonumber = guard(lua_tonumber),
}
