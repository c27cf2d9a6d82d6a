local core = ...
local next, setmetatable = next, setmetatable

local names = {}
for name, value in next, core.types do names[value] = name end

local code_of = core.field_of('QType', 'code', 'number')

local function type_name(value)
  local code = code_of(value)
  return names[code] or 'TYPE' .. code
end

local Type = core.class({getCode = code_of, getName = type_name}, {
  __tostring = type_name,
  __eq = function(a, b) return code_of(a) == code_of(b) end,
})

core.api.newQType = core.export(function(name)
  return setmetatable({code = core.type_code(core.text_of(name))}, Type)
end)
