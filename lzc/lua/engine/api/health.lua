-- ifportup, ifurlup, ifurlextup, pickselfweighted: candidates whose health check says up. Statuses are
-- mirrored here, one table a check, and thrown away when the checker has news; only one not yet
-- mirrored asks Python.

local core = ...
local type, error, next, rawget, tonumber, unpack = type, error, next, rawget, tonumber, unpack
local random = core.random
local sort, concat = table.sort, table.concat
local export, parse, text_of, ours = core.export, core.parse, core.text_of, core.ours
local python_status = core.python_status

-- Candidates that are not worth the telling.
local FEW = 8

-- checks[zone][what to check] = {[candidate as written] = weight}, where 0 means down and -1 not known
-- yet; shared by both loadings of this file. What one zone may not ask about, another may.
core.shared.checks = core.shared.checks or {}

-- What of the options a check consists of, in the order that the host takes them in; the others say
-- what to do with its result.
local OPTIONS = {}
for name in string.gmatch(core.check_options, '%S+') do OPTIONS[#OPTIONS + 1] = name end

-- Values are strings and numbers, but where an option says otherwise.
local OTHERWISE = {}
for name, kind in string.gmatch(core.option_types, '(%S+)=(%S+)') do OTHERWISE[name] = kind end

-- Headers as lines "name: value": from one such text, a list of them, or a table by name.
local function header_lines(headers)
  if type(headers) ~= 'table' then return text_of(headers) end
  local lines = {}
  for name, value in next, headers do
    value = text_of(value)
    lines[#lines + 1] = type(name) == 'number' and value or text_of(name) .. ': ' .. value
  end
  sort(lines)
  return concat(lines, '\n')
end

-- Values go with their lengths, so that no text of one looks like another option.
local function options_key(options)
  local key = ''
  for i = 1, #OPTIONS do
    local value = rawget(options, OPTIONS[i])
    if value ~= nil then
      value = OPTIONS[i] == 'headers' and header_lines(value) or text_of(value)
      key = key .. i .. ' ' .. #value .. ' ' .. value
    end
  end
  return key
end

local function check_options(options)
  if type(options) ~= 'table' or core.is_object(options) then
    error('table of options expected', 0)
  end
  for name, value in next, options do
    local t = type(value)
    if t ~= 'string' and t ~= 'number' and t ~= OTHERWISE[name] then
      error('an option is a string or a number, not ' .. t, 0)
    end
    text_of(name, 'name of an option')
  end
end

local function group_for(kind, target, options)
  if options ~= nil then check_options(options) end
  local key = kind .. (options and options_key(options) or '') .. '\0' .. target
  if #key > 4096 then error('Caught exception: the options of a health check are too long', 0) end
  local zones = core.shared.checks
  local checks = zones[core.zone]
  if not checks then
    checks = {}
    zones[core.zone] = checks
  end
  local group = checks[key]
  if not group then
    group = {}
    checks[key] = group
  end
  return group
end

local function ask(group, kind, target, options, candidate)
  local _, address, port = parse(candidate)
  -- A port of the candidate's own comes before that of the call.
  if kind == 'port ' and port ~= 0 then target = port end
  local values = {}
  for i = 1, #OPTIONS do
    local name = OPTIONS[i]
    local value = options and rawget(options, name)
    if name == 'source' and value ~= nil then
      -- Its port, if any, has no part in it.
      _, value = parse(value)
    elseif name == 'headers' and value ~= nil then
      value = header_lines(value)
    end
    values[i] = value
  end
  local state = python_status(kind, target, address, unpack(values, 1, #OPTIONS))
  ours(40)
  if type(state) == 'string' then error('Caught exception: ' .. state, 0) end
  group[candidate] = state
  return state
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
  if type(first) == 'table' then return addresses end
  return {addresses}
end

-- Where no candidate is up: before any result is there, that is an error to records that say so.
local function backup(options, every, total, completed)
  if total == 0 and not (options and rawget(options, 'backupSelector') == 'all') then
    error('Caught exception: The list of addresses cannot be empty', 0)
  end
  if not completed and options then
    local fail = rawget(options, 'failOnIncompleteCheck')
    if fail == true or fail == 'true' then
      error('Caught exception: no health check has completed yet', 0)
    end
  end
  return canonical(select_from(options and rawget(options, 'backupSelector'), every, total))
end

local function candidates_of(sets)
  local every, total = {}, 0
  for _, set in next, sets do
    for _, candidate in next, set do
      total = total + 1
      every[total] = text_of(candidate)
    end
  end
  return every, total
end

local function if_up(kind, target, addresses, options)
  local sets = sets_of(addresses)
  local group = group_for(kind, target, options)
  local completed, total = false, 0
  for _, set in next, sets do
    if type(set) ~= 'table' then error('table of addresses expected, got ' .. type(set), 0) end
    local up, count = {}, 0
    for key, candidate in next, set do
      if type(key) ~= 'number' then error('list of addresses expected', 0) end
      -- Only texts are keys there.
      local state = group[candidate]
      if not state then
        candidate = text_of(candidate, 'address')
        state = group[candidate] or ask(group, kind, target, options, candidate)
      end
      total = total + 1
      if state > 0 then
        count = count + 1
        up[count] = candidate
      elseif state == 0 then
        completed = true
      end
    end
    if total > FEW then ours(total * 9) total = 0 end
    if count > 0 then
      return canonical(select_from(options and rawget(options, 'selector'), up, count))
    end
  end
  local every, count = candidates_of(sets)
  return backup(options, every, count, completed)
end

-- The addresses of a table from address to URL, and the table with texts for keys. In an order of
-- their own: that of the table differs from process to process, and the client's hash must not.
local function external_of(set)
  if type(set) ~= 'table' then error('table of address and URL expected, got ' .. type(set), 0) end
  local candidates, urls = {}, {}
  for candidate, url in next, set do
    candidate = text_of(candidate, 'address')
    candidates[#candidates + 1] = candidate
    urls[candidate] = text_of(url, 'URL')
  end
  sort(candidates)
  return candidates, urls
end

-- One step of `if_up` where each candidate has a URL of its own, whose host is looked up.
local function external_up(set, options, every, total)
  local candidates, urls = external_of(set)
  local up, count, completed = {}, 0, false
  for i = 1, #candidates do
    local candidate = candidates[i]
    local url = urls[candidate]
    local group = group_for('ext ', url, options)
    parse(candidate)
    -- The check is the URL's; the address has no part in it.
    local state = group['::']
    if state == nil then state = ask(group, 'ext ', url, options, '::') end
    total = total + 1
    every[total] = candidate
    if state > 0 then
      count = count + 1
      up[count] = candidate
    end
    if state == 0 then completed = true end
  end
  return up, count, total, completed
end

local api = core.api

api.ifportup = export(function(port, addresses, options)
  local number = tonumber(port)
  if type(port) == 'table' or not number then error('port number expected', 0) end
  return if_up('port ', core.int(number), addresses, options)
end)

api.ifurlup = export(function(url, addresses, options)
  return if_up('url ', text_of(url), addresses, options)
end)

api.ifurlextup = export(function(sets, options)
  if type(sets) ~= 'table' then error('table of groups expected, got ' .. type(sets), 0) end
  local every, total, completed = {}, 0, false
  for key, set in next, sets do
    if type(key) ~= 'number' then error('list of groups expected', 0) end
    local up, count, some
    up, count, total, some = external_up(set, options, every, total)
    completed = completed or some
    if count > 0 then
      return canonical(select_from(options and rawget(options, 'selector'), up, count))
    end
  end
  return backup(options, every, total, completed)
end)

-- The client's hash picks among those that are up, by the weights that their pages gave; a selector
-- picks among the same without regard to these.
api.pickselfweighted = export(function(url, addresses, options)
  url = text_of(url)
  local items, count = core.items_of(addresses)
  local group = group_for('weight ', url, options)
  local weights, sum, completed = {}, 0, false
  for i = 1, count do
    local state = group[items[i]]
    if state == nil then state = ask(group, 'weight ', url, options, items[i]) end
    if state >= 0 then completed = true else state = 0 end
    weights[i], sum = state, sum + state
  end
  if sum == 0 then return backup(options, items, count, completed) end
  local selector = options and rawget(options, 'selector')
  if selector ~= nil then
    local up, able = {}, 0
    for i = 1, count do
      if weights[i] > 0 then
        able = able + 1
        up[able] = items[i]
      end
    end
    return canonical(select_from(selector, up, able))
  end
  local r = core.client_hash() % sum
  for i = 1, count do
    r = r - weights[i]
    if r < 0 then
      local _, text = parse(items[i])
      return text
    end
  end
end)
