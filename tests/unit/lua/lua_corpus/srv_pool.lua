;
local r = {}
for i, port in ipairs { 8080, 8081 } do r[i] = ("%d 5 %d s%d.example.org."):format(10*i, port, i) end
return r