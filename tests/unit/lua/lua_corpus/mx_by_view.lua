;
local mx = "10 mx1.example.org."
if netmask { '10.0.0.0/8' } then mx = '5 mx-int.example.org.' end
return mx