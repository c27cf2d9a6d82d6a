;
local ok, result = pcall(function() error({ code = "E\"1\"" }) end)
if not ok then result = type(result) == "table" and result.code or "?" end
return result