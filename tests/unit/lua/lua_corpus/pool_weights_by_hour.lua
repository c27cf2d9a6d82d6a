;
-- At night the small site takes less.
local hour = 3 --[[ tonumber(os.date("!%H")) ]]
local small = (hour < 6 or hour >= 22) and 5 or 50
return pickwrandom({{small, "192.0.2.1"}, {100 - small, "198.51.100.1"}})