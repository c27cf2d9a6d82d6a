local core = ...
local type, error, next, setmetatable, tonumber = type, error, next, setmetatable, tonumber
local rawget, rawset = rawget, rawset
local export, parse, text_of = core.export, core.parse, core.text_of
local packed_of, new_address = core.packed_of, core.new_address
local api = core.api

api.newCA = export(function(text)
  local packed, _, port = parse(text)
  return new_address(packed, port)
end)
api.newCAFromRaw = export(function(raw, port)
  raw, port = text_of(raw), port == nil and 0 or tonumber(port)
  if not port then error('port number expected', 0) end
  if #raw ~= 4 and #raw ~= 16 then return new_address('\0\0\0\0') end
  return new_address(raw, core.int(port) % 65536)
end)

local members_of = core.field_of('ComboAddressSet', 'members', 'table')

-- Ports make no difference.
local Set = core.class({
  add = function(self, value)
    local members = members_of(self)
    if type(value) ~= 'table' then
      rawset(members, (parse(value)), true)
    elseif rawget(value, 'packed') then
      rawset(members, packed_of(value), true)
    else
      for _, text in next, value do rawset(members, (parse(text)), true) end
    end
  end,
  check = function(self, address) return rawget(members_of(self), packed_of(address)) == true end,
}, {})

api.newCAS = export(function() return setmetatable({members = {}}, Set) end)
