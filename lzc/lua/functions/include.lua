local core = ...
local error, select, pcall, setfenv, loadstring = error, select, pcall, setfenv, loadstring
local byte, sub, clock = string.byte, string.sub, os.clock
local api = core.api

-- Statements may begin as in other records.
local function as_it_is(code) return code end
local function without_mark(code) return byte(code, 1) == 59 and sub(code, 2) or code end
local statements = core.since({[407] = as_it_is, [501] = without_mark})

local function run_include(name, ...)
  if select('#', ...) > 0 then error('This function requires at most 1 parameter(s)', 0) end
  local code = core.python_include(core.text_of(name))
  if not code or byte(code, 1) == 27 then return nil end
  local began = clock()
  local chunk = loadstring(statements(code), code)
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
