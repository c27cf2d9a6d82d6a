;
local t = os.date("!*t", 1700000000)
local down = t.wday == 3 and t.hour >= 22 and t.min < 30   -- Tuesday, 22:00 to 22:30 UTC
if not down then return ifportup(80, {'192.0.2.1'}) end
return '192.0.2.99' -- "We'll be right back"