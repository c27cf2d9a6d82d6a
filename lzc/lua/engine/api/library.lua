-- The functions of Lua's library that a record reaches: what is not in this table is not there. Each with
-- what it takes, and with what keeps a call from being long whatever the numbers are that it is given: no
-- hook fires while C is at work. One that is added here is tried with numbers of all kinds by a test.
--
-- An argument is
--   i  a number that C cuts to 32 bits with a sign. What does not fit is the smallest or the largest of
--      them, or any other, as the processor has it
--   b  a number, of which C takes the lowest 32 bits
--   d  a number as Lua has it
--   t  seconds, in 64 bits
--   s  text, or a number, which is written first;  p  a pattern;  m  a format
--   l  a table;  f  a function;  v  any value;  ...  more like the last
-- Text that is a number is taken for one.

local core = ...
local next, type = next, type

-- One step, whatever the number.
local STEP = 'step'
-- C brings it into the bounds of what is there: a text, a list, arguments.
local THERE = 'there'
-- C raises an error where it is too much.
local REFUSED = 'refused'
-- `bounded.lua` and `sandbox.lua` estimate, charge or refuse it.
local OURS = 'ours'
-- It is Lua inside, or calls Lua: hooks end it.
local HOOKED = 'hooked'

core.library = {
  base = {
    assert = {'v...', STEP}, error = {'vi', THERE}, getfenv = {'i', OURS}, getmetatable = {'v', STEP},
    ipairs = {'l', STEP}, load = {'f', OURS}, loadstring = {'s', OURS}, next = {'lv', THERE},
    pairs = {'l', STEP}, pcall = {'fv...', HOOKED}, rawequal = {'vv', STEP}, rawget = {'lv', STEP},
    rawlen = {'v', STEP}, rawset = {'lvv', STEP}, select = {'iv...', THERE}, setfenv = {'il', OURS},
    setmetatable = {'lv', STEP}, tonumber = {'vi', REFUSED}, tostring = {'v', STEP},
    type = {'v', STEP}, unpack = {'lii', REFUSED}, xpcall = {'ff', HOOKED},
  },
  string = {
    byte = {'sii', REFUSED}, char = {'i...', OURS}, find = {'spiv', OURS}, format = {'mv...', OURS},
    gmatch = {'sp', OURS}, gsub = {'spvi', OURS}, len = {'s', STEP}, lower = {'s', OURS},
    match = {'spi', OURS}, rep = {'sis', OURS}, reverse = {'s', OURS}, sub = {'sii', THERE},
    upper = {'s', OURS},
  },
  table = {
    concat = {'lsii', THERE}, foreach = {'lf', HOOKED}, foreachi = {'lf', HOOKED}, getn = {'l', STEP},
    insert = {'liv', OURS}, maxn = {'l', THERE}, move = {'liiil', HOOKED}, pack = {'v...', HOOKED},
    remove = {'li', HOOKED}, sort = {'lf', OURS}, unpack = {'lii', REFUSED},
  },
  math = {
    abs = {'d', STEP}, acos = {'d', STEP}, asin = {'d', STEP}, atan = {'d', STEP}, atan2 = {'dd', STEP},
    ceil = {'d', STEP}, cos = {'d', STEP}, cosh = {'d', STEP}, deg = {'d', HOOKED}, exp = {'d', STEP},
    floor = {'d', STEP}, fmod = {'dd', STEP}, frexp = {'d', STEP}, ldexp = {'di', STEP},
    log = {'dd', STEP}, log10 = {'d', STEP}, max = {'d...', OURS}, min = {'d...', OURS},
    modf = {'d', STEP}, pow = {'dd', STEP}, rad = {'d', HOOKED}, random = {'dd', STEP},
    randomseed = {'d', OURS}, sin = {'d', STEP}, sinh = {'d', STEP}, sqrt = {'d', STEP},
    tan = {'d', STEP}, tanh = {'d', STEP},
  },
  bit = {
    arshift = {'bb', STEP}, band = {'b...', OURS}, bnot = {'b', STEP}, bor = {'b...', OURS},
    bswap = {'b', STEP}, bxor = {'b...', OURS}, lshift = {'bb', STEP}, rol = {'bb', STEP},
    ror = {'bb', STEP}, rshift = {'bb', STEP}, tobit = {'b', STEP}, tohex = {'bi', REFUSED},
  },
  os = {
    clock = {'', STEP}, date = {'mt', OURS}, difftime = {'tt', STEP}, getenv = {'s', OURS},
    time = {'l', OURS},
  },
  coroutine = {
    create = {'f', STEP}, isyieldable = {'', STEP}, resume = {'vv...', OURS}, running = {'', STEP},
    status = {'v', STEP}, wrap = {'f', OURS}, yield = {'v...', STEP},
  },
  debug = {traceback = {'vvv', OURS}},
  -- What the functions of these names return.
  iterators = {ipairs = {'li', STEP}, gmatch = {'', STEP}},
}

-- A library with nothing but what the table names, and its constants; what is `ours` in place of its own.
function core.listed(name, library, ours)
  local listed, copy = core.library[name], {}
  for key, value in next, library do
    if type(value) == 'number' or type(value) == 'string' or listed[key] then copy[key] = value end
  end
  for key, value in next, ours or {} do copy[key] = listed[key] and value end
  return copy
end
