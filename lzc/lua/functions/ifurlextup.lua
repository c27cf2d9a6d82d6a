local core = ...
local type, error, next, rawget, sort = type, error, next, rawget, table.sort
local parse, text_of, group_for, ask = core.parse, core.text_of, core.group_for, core.ask
local select_from, canonical, backup = core.select_from, core.canonical, core.backup

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
local function external_up(candidates, urls, options)
  local up, count, completed = {}, 0, false
  for i = 1, #candidates do
    local candidate = candidates[i]
    local url = urls[candidate]
    local group = group_for('ext ', url, options)
    parse(candidate)
    -- The check is the URL's; the address has no part in it.
    local state = group['::']
    if state == nil then state = ask(group, 'ext ', url, options, '::') end
    if state > 0 then
      count = count + 1
      up[count] = candidate
    end
    if state == 0 then completed = true end
  end
  return up, count, completed
end

core.api.ifurlextup = core.export(function(sets, options)
  if type(sets) ~= 'table' then error('table of groups expected, got ' .. type(sets), 0) end
  local every, completed = {}, false
  for key, set in next, sets do
    if type(key) ~= 'number' then error('list of groups expected', 0) end
    local candidates, urls = external_of(set)
    every[#every + 1] = candidates
    local up, count, some = external_up(candidates, urls, options)
    completed = completed or some
    if count > 0 then
      return canonical(select_from(options and rawget(options, 'selector'), up, count))
    end
  end
  return backup(options, every, completed)
end)
