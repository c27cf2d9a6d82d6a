-- The budgets of an execution: instructions, and time.
--
-- Usually a count hook ends an execution when as many instructions have run, ours included, as the
-- record alone may take: one that never gets there is within its budget for certain. What our functions
-- spend on long lists they say (`core.ours`), and it is not held against the record. One that gets
-- there is run again with everything loaded a second time (`core.exact`), where the hook fires on
-- every instruction and our functions switch it off while they run.
--
-- Where globals live on, nothing may run twice. There an execution that gets so far goes on, and its
-- budget is counted from there; where that happens to a record again and again, from its start.
--
-- Of some executions the record's instructions alone are counted meanwhile (`sample`): the hook fires on
-- each and sees whose it is. All else is as usual, so a record finds nothing that is not as it always is.
--
-- An instruction may be a long call into C. So hooks look at the clock too, and what is known to take
-- long is charged beforehand (`core.charge`). Time is CPU time: a machine that is busy harms nobody.

local core = ...
local error, select = error, select
local sethook, getinfo, clock = debug.sethook, debug.getinfo, os.clock
local min, max, floor, raw_getfenv = math.min, math.max, math.floor, getfenv
local LIMIT, limit, time_limit = core.LIMIT, core.exec_limit, core.time_limit
local work_limit = time_limit * 1e9

-- Instructions of the wrapper around one of our functions, counted though they are not the record's.
local GUARD_COST = 9

-- Likewise of `run`, before and after the record.
local RUN_COST = 5

-- Our functions may do what their input asks for, many times over, but not without end: so many
-- instructions in all, for each one of the budget. They are counted by this step.
local OWN_FACTOR, OWN_STEP = 1000, 10000

-- Instructions between two looks at the clock, which take most of a microsecond each: most records are
-- over before the first.
local LOOK = 200

-- An instruction may take long itself: with a text of 28 MB, `s + 0` takes 20 ms. Such a text needs room,
-- so every few instructions the heap's size is looked at, which costs little, and where it has more KiB the
-- clock is too. A smaller size would often be reached by what is kept for speed.
local STEP, ROOMY = 16, 8192

-- Where more seconds have passed since the last look, be it one at another execution, the clock is looked
-- at after each instruction, until as many in a row were not long.
local BRIEF, LONG, WATCH = 0.02, 0.0005, 64

local used, own, fired, started, work = 0, 0, false, nil, 0
local shared, watched, count_kib = core.shared, 0, core.count_kib
shared.looked = shared.looked or 0

-- Of the usual run: instructions that are left, how many lie between two ticks, how many have run since
-- the last look at the clock, and how many our functions have told of.
local left, step, unseen, told = 0, 0, 0, 0

-- What was left when `unseen` was counted last, and what is left when that has to be done again.
local seen_at, due = 0, 0

-- So many instructions we wait for one of our functions to end, at least, and each time one more: in a loop,
-- equal steps might always end at the same place of it.
local PATIENCE = 12
local patience = PATIENCE

-- How often the record of a slot ran out of its budget together with ours, and how often it may: at
-- first much is not known yet.
local MAX_STRIKES = 3
shared.costly = shared.costly or {}
local costly, slot, G = shared.costly, nil, core.G

-- Of which executions instructions are counted: of so many first ones of each slot, which are `young`
-- until then, and after that of one in so many, when `passed` reaches `gap`. How many lie `between` two of
-- them is by chance, with this mean: what is asked in turn is to have its turn here too. That chance is
-- not `core.random`: a record may know what comes from there. Where the host says nothing for long, as
-- executions became many at once, the mean is doubled with each one after the first `MOST`.
local FIRST, MOST = 3, 8
local passed, gap, between, taken, telling = 0, math.huge, 1, 0, false
shared.young = shared.young or {}
local young = shared.young
local drawn = core.first_drawn

-- Of the execution that runs: whether it is such a one, for how many executions it stands (0: it is not
-- known how many instructions it took), and how often its hook has fired. A hook that fires on each
-- instruction does so this often; then by steps, each of which is whose its last instruction is. What it
-- has `seen` is not `used`, which functions of ours give back what they cost.
local sampled, weight, fires, seen, FINE = false, 0, 0, 0, 2000

-- What such a hook takes more than the usual one, which is not the record's time.
local FIRE_COST = 2e-7

-- Whether every instruction counts, and whether that begins when it may matter.
core.exact = core.exact and limit > 0
local counting = core.exact
local lazily = core.exact and core.shared_mode and not core.counted

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
  local passed = now - shared.looked
  shared.looked = now
  if passed > (watched > 0 and LONG or BRIEF) then
    watched = WATCH
  elseif watched > 0 then
    watched = watched - 1
  end
  if not started then started = now end
  if sampled then now = now - fires * FIRE_COST end
  return now - started > time_limit
end

local function count_one()
  used = used + 1
  if used > limit then return stop() end
  if (watched > 0 or used % LOOK == 32 or used % STEP == 7 and count_kib('count') > ROOMY) and late() then
    return stop('time')
  end
end

local tick, tick_sampled

-- The record alone, or together with our functions, has run as many instructions as it may.
local function exhausted()
  local f = getinfo(2, 'f').func
  if f == core.run then
    step = 0
    return sethook()
  elseif raw_getfenv(f) == G then
    -- Ours will tell when they are done.
    own = own + step
    if own > limit * OWN_FACTOR then return stop() end
    patience = patience < STEP and patience + 1 or PATIENCE
    step = watched > 0 and 1 or patience
    return sethook(sampled and tick_sampled or tick, '', step)
  elseif not lazily then
    return stop()
  end
  used, counting, costly[slot] = 0, true, (costly[slot] or 0) + 1
  sampled, weight, passed = false, 0, passed + weight
  sethook(count_one, '', 1)
end

-- What a tick that finds something due does: `left` is at or below `due`, or the heap is large.
local function look()
  unseen = unseen + seen_at - left
  seen_at = left
  if unseen >= LOOK or watched > 0 or count_kib('count') > ROOMY then
    unseen = 0
    if late() then return stop('time') end
  end
  if left <= 0 then
    left, told = left + told, 0
    seen_at = left
    if left <= 0 then return exhausted() end
  end
  local following = (watched > 0 or sampled and fires < FINE) and 1 or min(left, STEP)
  due = watched > 0 and math.huge or max(left + unseen - LOOK, STEP)
  if following ~= step then
    step = following
    sethook(sampled and tick_sampled or tick, '', step)
  end
end

-- Most ticks find nothing due: this is half of what a tick costs.
function tick()
  left = left - step
  if left <= due or count_kib('count') > ROOMY then return look() end
end

function tick_sampled()
  fires = fires + 1
  if raw_getfenv(2) ~= G then seen = seen + step end
  left = left - step
  if left <= due or count_kib('count') > ROOMY then return look() end
end

-- The next one whose instructions are counted is to come after so many, by chance.
local function draw_gap()
  drawn = drawn * 16807 % 2147483647
  return 1 + floor(drawn / 2147483647 * (2 * between - 1))
end

-- Count those of one in `each` executions from now on, and tell the host; 0: of none. The host says so
-- some times a second.
function core.sample(each)
  telling, between, taken = each > 0, each, 0
  shared.first = telling and FIRST or nil
  gap = telling and min(gap, passed + draw_gap()) or math.huge
end

-- Has the instructions of this execution counted, which is the next one anyway or of a young slot.
local function sample(of)
  local first = young[of]
  if first then
    young[of] = first > 1 and first - 1 or nil
    weight, passed = 1, passed - 1
  else
    taken = taken + 1
    if taken > MOST then between = 2 * between end
    weight, passed, gap = passed, 0, draw_gap()
  end
  sampled, seen, fires, step = true, 0, 0, 1
  return tick_sampled, 1
end

-- Tells how many instructions an execution took whose hook fired on each, and `why` it was ended, if it
-- was. One that is run again, as ours may have been too many, tells then.
function core.tell(why)
  if why == 'instructions' and sampled then
    passed = passed + weight
  elseif telling and weight > 0 then
    local took = sampled and seen or used
    core.python_counted(limit > 0 and min(took, limit) or took, weight)
  end
end

-- Gives the hook of an execution and its interval, which is 1 where `core.tell` is to be called after it. Nothing of ours but `run` may be on its way when the
-- hook fires outside the record's pcall, so it is `run` that sets the hook.
local hooked = limit > 0 or time_limit > 0
-- Without a limit, more than ever run; but a number that can be counted down from.
local total = limit > 0 and limit + RUN_COST or 2 ^ 52
local first_step = min(total, STEP)
local first_due = max(total - LOOK, first_step)
function core.begin(of)
  used, own, fired, started, work, watched = -RUN_COST, 0, false, nil, 0, 0
  counting, sampled = core.exact and (not lazily or (costly[of] or 0) >= MAX_STRIKES), false
  if counting then
    weight = 1
    return count_one, 1
  end
  slot, left, step, unseen, told, patience = of, total, first_step, 0, 0, PATIENCE
  seen_at, due = total, first_due
  passed = passed + 1
  if passed >= gap or young[of] then return sample(of) end
  if not hooked then return nil end
  return tick, step
end

-- Why the record did not end by itself; what may have been too much counts as too much.
function core.spent()
  if hooked and not fired and not counting and left + told < step then
    if not lazily then return 'instructions' end
    costly[slot] = (costly[slot] or 0) + 1
  end
  return fired
end
function core.used() return used end

-- Tells of instructions that one of our functions has spent: at least as many, and after it has.
function core.ours(count) told = told + count end

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
  if fired then
    sethook(abort, '', 1)
  elseif counting then
    sethook(count_one, '', 1)
  end
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
  sethook(count_one, '', 1)
  return ...
end

-- Marks the boundary between a record and us: what a record can call goes through it.
function core.guard(f)
  if not core.exact then return f end
  return function(...)
    if not counting then return f(...) end
    sethook(own_hook, '', OWN_STEP)
    return finish(f(...))
  end
end

-- Likewise for a function of PowerDNS's API: there, more arguments than it has parameters are an error,
-- even where they are nil. `most` is to be given for one that takes "...".
function core.export(f, most)
  most = most or getinfo(f, 'u').nparams
  return core.guard(function(...)
    if select('#', ...) > most then
      error('This function requires at most ' .. most .. ' parameter(s)', 0)
    end
    return f(...)
  end)
end

-- An error leaves a guarded function with the record's hook still off; whatever catches errors for a
-- record switches it on again, and gives back the `cost` of its own instructions.
function core.credit(cost) used = used - cost end
core.rearm = core.exact and rearm or function(...) return ... end
function core.suspend() if counting then sethook(own_hook, '', OWN_STEP) end end
