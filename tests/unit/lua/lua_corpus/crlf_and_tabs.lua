;	local a	= [[line 1
line 2]]
	return	a:gsub("\r", "") , "\r\n"