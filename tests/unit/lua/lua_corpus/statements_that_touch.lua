; local f = function() return function() return 'x' end end
local a = "\1"
(f or type)()
local b = a .. f()()
; (f or type)()
return b, a