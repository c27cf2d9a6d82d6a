-- What the functions share that ask for health checks. Statuses are mirrored here, one table a check,
-- and thrown away when the checker has news; only one not yet mirrored asks Python.

local core = ...
local type, error, next, rawget, unpack = type, error, next, rawget, unpack
local random = core.random
local sort, concat = table.sort, table.concat
local parse, text_of, ours = core.parse, core.text_of, core.ours
local python_status, since = core.python_status, core.since

-- Candidates that are not worth the telling.
local FEW = 8

-- checks[zone][what to check] = {[candidate as written] = weight}, where 0 means down and -1 not known
-- yet; shared by both loadings of this file. What one zone may not ask about, another may.
core.shared.checks = core.shared.checks or {}

-- What of the options a check consists of, in the order that the host takes them in; the others say
-- what to do with its result.
local OPTIONS = {}
for name in string.gmatch(core.check_options, '%S+') do OPTIONS[#OPTIONS + 1] = name end

-- Headers as lines "name: value", of a table by name.
local function header_lines(headers)
  local lines = {}
  if type(headers) == 'table' then
    for name, value in next, headers do lines[#lines + 1] = text_of(name) .. ': ' .. text_of(value) end
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

-- Whatever its name is, an option is text, or since there are headers a table of such.
local function text_only(value) text_of(value, 'option') end
local function text_or_texts(value)
  if type(value) ~= 'table' or core.is_object(value) then return text_only(value) end
  for name, text in next, value do text_of(name) text_of(text) end
end
local check_option = since({[407] = text_only, [500] = text_or_texts})

local function check_options(options)
  if type(options) ~= 'table' or core.is_object(options) then
    error('table of options expected', 0)
  end
  for name, value in next, options do
    check_option(value)
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

local NOTHING = since({[407] = false, [501] = 'empty'})

local function select_from(selector, items, count)
  if selector == 'all' then return items end
  if selector == NOTHING then return {} end
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
function core.one_set(addresses)
  if type(addresses) ~= 'table' then
    error('table of addresses expected, got ' .. type(addresses), 0)
  end
  return {addresses}
end
function core.sets_of(addresses)
  local one = core.one_set(addresses)
  local _, first = next(addresses)
  return type(first) == 'table' and addresses or one
end

local NONE = 'Caught exception: The list of addresses cannot be empty'

-- Where no candidate is up: before any result is there, that is an error to records that say so.
local function strict(options) return rawget(options, 'failOnIncompleteCheck') == 'true' end
local fails_early = since({[407] = function() return false end, [500] = strict})

-- Lists of candidates, set after set: `total` of all, or where none may be empty, of the first that is not.
local function of_all(sets, options)
  local every, total = {}, 0
  for i = 1, #sets do
    for j = 1, #sets[i] do
      total = total + 1
      every[total] = sets[i][j]
    end
  end
  if total == 0 and not (options and rawget(options, 'backupSelector') == 'all') then error(NONE, 0) end
  return every, total
end
local function of_first(sets)
  for i = 1, #sets do
    if #sets[i] > 0 then return sets[i], #sets[i] end
  end
  error(NONE, 0)
end
local candidates_of = since({[407] = of_all, [501] = of_first})

local function backup(options, sets, completed)
  if not completed and options and fails_early(options) then
    error('Caught exception: no health check has completed yet', 0)
  end
  local every, total = candidates_of(sets, options)
  return canonical(select_from(options and rawget(options, 'backupSelector'), every, total))
end

local function texts_in(sets)
  local found = {}
  for _, set in next, sets do
    local candidates = {}
    for _, candidate in next, set do candidates[#candidates + 1] = text_of(candidate) end
    found[#found + 1] = candidates
  end
  return found
end

local function if_up(kind, target, sets, options)
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
  return backup(options, texts_in(sets), completed)
end

core.group_for, core.ask, core.select_from, core.canonical = group_for, ask, select_from, canonical
core.backup, core.if_up = backup, if_up
