-- The budgets of an execution: instructions, and time.
--
-- Usually a count hook ends an execution when as many instructions have run, ours included, as the
-- record alone may take: one that never gets there is within its budget for certain. One that does is
-- run again with everything loaded a second time (`core.exact`), where the hook fires on every
-- instruction and our functions switch it off while they run.
--
-- An instruction may be a long call into C. So hooks look at the clock too, and what is known to take
-- long is charged beforehand (`core.charge`). Time is CPU time: a machine that is busy harms nobody.

local core = ...
local error = error
local sethook, getinfo, clock = debug.sethook, debug.getinfo, os.clock
local floor, ceil = math.floor, math.ceil
local LIMIT, limit, time_limit = core.LIMIT, core.exec_limit, core.time_limit
local work_limit = time_limit * 1e9

-- Instructions of the wrapper around one of our functions, counted though they are not the record's.
local GUARD_COST = 7

-- Likewise of `run`, before and after the record.
local RUN_COST = 5

-- Our functions may do what their input asks for, many times over, but not without end: so many
-- instructions in all, for each one of the budget. They are counted by this step.
local OWN_FACTOR, OWN_STEP = 1000, 10000

-- Instructions between two looks at what an execution has come to, and how many of these looks there
-- are to one at the clock, which takes a microsecond. Most records are over before the first. Where
-- every instruction is counted, instructions between looks of either kind.
local LOOK, CLOCK, EXACT_LOOK, EXACT_CLOCK = 201, 10, 64, 256

-- An instruction takes long where a text is long (`s + 0` reads all of it), and texts of megabytes take
-- memory. So once the heap has grown by as many KiB, the clock is looked at after every instruction.
local GROWN = 4096

local used, own, fired, ticks, started, work = 0, 0, false, 0, nil, 0
local count_kib, shared, watched, left = core.count_kib, core.shared, false, 0
shared.heap = shared.heap or 0

-- An error that ends an execution must not be stopped by the record's own pcall: from here on, every
-- instruction raises it again, until we are back in `run`.
local function abort()
  if getinfo(2, 'f').func == core.run then return sethook() end
  error(LIMIT, 0)
end

local function stop(why)
  if getinfo(2, 'f').func == core.run then return sethook() end
  fired = why or 'instructions'
  sethook(abort, '', 1)
  error(LIMIT, 0)
end

-- The clock starts at the first look: most executions are over before it.
local function late()
  if time_limit == 0 then return false end
  local now = clock()
  if not started then started = now end
  return now - started > time_limit
end

local function grown() return count_kib('count') - shared.heap > GROWN end

-- After every instruction, as far as the budget goes.
local function watch()
  left = left - 1
  if left <= 0 then return stop() end
  if late() then return stop('time') end
end

core.exact = core.exact and limit > 0
local total = limit + RUN_COST
local last_tick = limit > 0 and ceil(total / LOOK) or math.huge
local interval = limit > 0 and floor(total / last_tick) or LOOK
local function tick()
  ticks = ticks + 1
  if ticks >= last_tick then return stop() end
  if grown() then
    left = (last_tick - ticks) * interval
    return sethook(watch, '', 1)
  end
  if ticks % CLOCK == 0 and late() then return stop('time') end
end
local hook = tick
if core.exact then
  interval = 1
  hook = function()
    used = used + 1
    if used > limit then return stop() end
    if watched or used % EXACT_LOOK == 32 then
      watched = watched or grown()
      if (watched or used % EXACT_CLOCK == 224) and late() then return stop('time') end
    end
  end
end

-- Nothing of ours but `run` may be on its way when the hook fires outside the record's pcall, so it
-- is `run` that sets the hook.
core.hook, core.interval = (limit > 0 or time_limit > 0) and hook or nil, interval
function core.begin()
  used, own, fired, ticks, started, work, watched = -RUN_COST, 0, false, 0, nil, 0, false
end

-- The heap that an execution leaves is what the next begins with.
function core.ended(kib) shared.heap = kib end

function core.spent() return fired end
function core.used() return used end

-- Asks for so many nanoseconds, for what no hook would end.
function core.charge(nanoseconds)
  work = work + nanoseconds
  if time_limit > 0 and not (work <= work_limit) then
    fired = 'time'
    sethook(abort, '', 1)
    error(LIMIT, 0)
  end
end

local function rearm(...)
  if fired then sethook(abort, '', 1) else sethook(hook, '', 1) end
  return ...
end

local function own_hook()
  own = own + OWN_STEP
  if own > limit * OWN_FACTOR then return stop() end
  if late() then return stop('time') end
end

-- Only on the way out, so that a function that raises errors in a loop is not free.
local function finish(...)
  used = used - GUARD_COST
  sethook(hook, '', 1)
  return ...
end

-- Marks the boundary between a record and us: what a record can call goes through it.
function core.guard(f)
  if not core.exact then return f end
  return function(...)
    sethook(own_hook, '', OWN_STEP)
    return finish(f(...))
  end
end

-- An error leaves a guarded function with the record's hook still off; whatever catches errors for a
-- record switches it on again, and gives back the `cost` of its own instructions.
function core.credit(cost) used = used - cost end
core.rearm = core.exact and rearm or function(...) return ... end
function core.suspend() if core.exact then sethook(own_hook, '', OWN_STEP) end end
