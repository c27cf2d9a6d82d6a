local core = ...
local type, error, next, setmetatable, rawset = type, error, next, setmetatable, rawset
local byte, sub = string.byte, string.sub
local ours, text_of, packed_of = core.ours, core.text_of, core.packed_of
local network_of, contains = core.network_of, core.contains

local masks_of = core.field_of('NetmaskGroup', 'masks', 'table')

-- The longest network that holds the address decides, and of the same one, what was added last; a
-- "!" in front of it says no.
local function group_match(group, packed)
  local best, answer, count = -1, false, 0
  for _, text in next, masks_of(group) do
    local negative = byte(text, 1) == 33
    local entry = network_of(negative and sub(text, 2) or text)
    if entry[2] >= best and contains(entry, packed) then best, answer = entry[2], not negative end
    count = count + 1
  end
  ours(count * 30)
  return answer
end
core.group_match = group_match

local function add_to(masks, value)
  local text = text_of(value, 'netmask')
  network_of(byte(text, 1) == 33 and sub(text, 2) or text)
  -- A record may have put a table with metamethods there.
  rawset(masks, #masks + 1, text)
end

local function add_mask(group, value) add_to(masks_of(group), value) end

local function add_masks(group, list)
  if type(list) ~= 'table' then error('table expected', 0) end
  local masks, count = masks_of(group), 0
  for key, value in next, list do
    if type(key) ~= 'number' then error('list of netmasks expected', 0) end
    add_to(masks, value)
    count = count + 1
  end
  ours(count * 27)
end

local Group = core.class({
  addMask = add_mask,
  addMasks = add_masks,
  match = function(self, value) return group_match(self, packed_of(value)) end,
}, {})

core.api.newNMG = core.export(function(list)
  local group = setmetatable({masks = {}}, Group)
  if list ~= nil then add_masks(group, list) end
  return group
end)

core.api.newNetmask = core.export(function(text)
  network_of(text)
  return core.netmask_of(text_of(text))
end)
