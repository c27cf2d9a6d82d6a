;
local internal = newNMG()
local function allowed(who)
  --[==[ internal:match(who) would do it
         ]] but not here ]==]
  return who:toString():sub(1, 3) == "192"
end
if allowed(bestwho) then return { "10.0.0.1" } end
return {}