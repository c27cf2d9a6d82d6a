; local t = { [ [[k]] ] = 1, [ [=[ ]] ]=] ] = "]]", ['\65'] = '\z
    joined', ["\x41b"] = "\u{e4}" }
local out = {}
for _, key in ipairs { 'k', " ]] ", 'A', "Ab" } do out[#out+1] = tostring(t[key] ~= nil) end
return table.concat(out, "\n"), #"\r\n" - -1, 1 ..2, 3. .. .5