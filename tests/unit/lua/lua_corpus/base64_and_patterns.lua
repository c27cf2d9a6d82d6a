;
local text = "key=\"va\\lue\"; other='x'"
local found = {}
for k, v in text:gmatch("(%w+)=[\"']([^\"']*)[\"']") do found[#found + 1] = k .. "\t" .. v end
return table.concat(found, "|"), (text:gsub("[\"\\]", { ["\""] = "''", ["\\"] = "/" }))