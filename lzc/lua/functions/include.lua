local core = ...
local error, select, pcall, setfenv, loadstring = error, select, pcall, setfenv, loadstring
local byte, clock = string.byte, os.clock
local api = core.api

local function run_include(name, ...)
  if select('#', ...) > 0 then error('This function requires at most 1 parameter(s)', 0) end
  local code = core.python_include(core.text_of(name))
  if not code or byte(code, 1) == 27 then return nil end
  local began = clock()
  local chunk = loadstring(code, code)
  core.charge((clock() - began) * 1e9)
  if chunk then return setfenv(chunk, core.env) end
end

-- PowerDNS only logs when there is nothing to include, or when that raises an error.
if core.exact then
  api.include = function(...)
    core.suspend()
    local chunk = run_include(...)
    core.rearm()
    if chunk then core.rearm(pcall(chunk)) end
  end
else
  api.include = function(...)
    local chunk = run_include(...)
    if chunk then pcall(chunk) end
  end
end
