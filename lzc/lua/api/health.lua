-- ifportup and ifurlup: candidates whose health check says up. Statuses are mirrored here, one table
-- a check, and thrown away when the checker has news; only one not yet mirrored asks Python.

local core = ...
local type, error, next, rawget, tonumber = type, error, next, rawget, tonumber
local random, floor = math.random, math.floor
local guard, parse, text_of = core.guard, core.parse, core.text_of
local python_status = core.python_status

-- checks[what to check] = {[candidate as written] = up}; shared by both loadings of this file.
core.shared.checks = core.shared.checks or {}

local FIELDS = {'timeout', 'source', 'stringmatch', 'useragent', 'interval', 'httpcode', 'byteslimit'}

local function options_key(options)
  local key = ''
  for i = 1, #FIELDS do
    local value = rawget(options, FIELDS[i])
    if value ~= nil then key = key .. '\0' .. i .. text_of(value) end
  end
  return key
end

local function group_for(kind, target, options)
  local key = kind .. target
  if options then key = key .. options_key(options) end
  local checks = core.shared.checks
  local group = checks[key]
  if not group then
    group = {}
    checks[key] = group
  end
  return group
end

local function ask(group, kind, target, options, candidate)
  local _, address = parse(candidate)
  local o = options or {}
  local source = rawget(o, 'source')
  if source ~= nil then parse(source) end
  local up = python_status(kind, target, address, rawget(o, 'timeout'), source,
    rawget(o, 'stringmatch'), rawget(o, 'useragent'), rawget(o, 'interval'),
    rawget(o, 'httpcode'), rawget(o, 'byteslimit'))
  if type(up) == 'string' then error('Caught exception: ' .. up, 0) end
  up = up == true
  group[candidate] = up
  return up
end

local function select_from(selector, items, count)
  if selector == 'all' then return items end
  if selector == 'empty' then return {} end
  local item
  if selector == 'pickclosest' then
    item = core.pickclosest(items, count)
  elseif selector == 'hashed' then
    item = items[core.client_hash() % count + 1]
  else
    item = items[random(count)]
  end
  return {item}
end

-- Result texts are canonical, whatever way the record writes an address.
local function canonical(items)
  for i = 1, #items do
    local _, text = parse(items[i])
    items[i] = text
  end
  return items
end

-- A set of addresses, or several in order of preference.
local function sets_of(addresses)
  if type(addresses) ~= 'table' then
    error('table of addresses expected, got ' .. type(addresses), 0)
  end
  local _, first = next(addresses)
  if first == nil then error('Caught exception: The list of addresses cannot be empty', 0) end
  if type(first) == 'table' then return addresses end
  return {addresses}
end

local function if_up(kind, target, addresses, options)
  if options ~= nil and type(options) ~= 'table' then error('table of options expected', 0) end
  local sets = sets_of(addresses)
  local group = group_for(kind, target, options)
  local every, total = {}, 0
  for _, set in next, sets do
    if type(set) ~= 'table' then error('table of addresses expected, got ' .. type(set), 0) end
    local up, count = {}, 0
    for key, candidate in next, set do
      if type(key) ~= 'number' then error('list of addresses expected', 0) end
      candidate = text_of(candidate, 'address')
      local state = group[candidate]
      if state == nil then state = ask(group, kind, target, options, candidate) end
      total = total + 1
      every[total] = candidate
      if state then
        count = count + 1
        up[count] = candidate
      end
    end
    if count > 0 then
      return canonical(select_from(options and rawget(options, 'selector'), up, count))
    end
  end
  if total == 0 then error('Caught exception: The list of addresses cannot be empty', 0) end
  return canonical(select_from(options and rawget(options, 'backupSelector'), every, total))
end

local api = core.api

api.ifportup = guard(function(port, addresses, options)
  local number = tonumber(port)
  if type(port) == 'table' or not number then error('port number expected', 0) end
  return if_up('port ', floor(number), addresses, options)
end)

api.ifurlup = guard(function(url, addresses, options)
  return if_up('url ', text_of(url), addresses, options)
end)
