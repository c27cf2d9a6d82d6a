--[[ Shared functions of all zones; covered type LUA, taken in by include().
     "Quotes", \backslashes\ and umlauts (äöü) in comments cost nothing. ]]
function site_of(address)
  local a, b, c = address:match("^(%d+)%.(%d+)%.(%d+)%.")
  if a == "192" and b == "0" then return "fra" end
  if a == "198" then return "ams" end
  return "none", c
end
prefix = "eu-\"1\""
return site_of("192.0.2.1"), prefix