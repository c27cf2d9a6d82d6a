;
local function counter(start)
  local n = start
  return { step = function() n = n + 1; return n end, name = [[it's "me"]] }
end
local c = counter(0x10)
repeat local v = c.step() until v > 20
return "192.0.2." .. c.step(), c.name