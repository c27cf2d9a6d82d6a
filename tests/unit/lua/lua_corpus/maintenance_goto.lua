;
local tries = 0
::again::
tries = tries + 1
if tries < 3 then goto again end
do return "192.0.2." .. tries end