[[
first line
second "line" \ with a backslash
]]