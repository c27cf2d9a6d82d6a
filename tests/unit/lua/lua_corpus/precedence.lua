;local s = "é" .. "\n" == "é\n" and "\"" .. 1 + 2 ^ 2 .. '"' or not "x"
return s, -2 ^ 2, 2 ^ -1, 2 ^ 3 ^ 2, "a" .. "b" < "a\"", not nil == true, - - 1