;
local labels = qname:getRawLabels()
local sum = 0
for i = 1, #labels do sum = sum + #labels[i] * i end
return '192.0.2.' .. sum % 256