local core = ...
local type, error, next, lower = type, error, next, string.lower
local export, condition, here, text_of = core.export, core.condition, core.here, core.text_of
local UNKNOWN, api = core.UNKNOWN, core.api

local function matches(code, wanted)
  if type(wanted) == 'table' then
    local found = false
    for key, value in next, wanted do
      if type(key) ~= 'number' then error('list of codes expected', 0) end
      if lower(text_of(value)) == code then found = true end
    end
    return found
  end
  return lower(text_of(wanted)) == code
end

local function predicate(name, field)
  return condition(name, function(wanted) return matches(here()[field] or UNKNOWN, wanted) end)
end
api.country, api.continent, api.region = predicate('country', 1), predicate('continent', 2), predicate('region', 3)
api.countryCode = export(function() return here()[1] or '--' end)
api.continentCode = export(function() return here()[2] or '--' end)
api.regionCode = export(function() return here()[3] or '--' end)
