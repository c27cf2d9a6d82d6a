;include('config')
local settings = config or {pool = {"192.0.2.7"}, ["check"] = {["url"] = "https://example.org/\"x\""}}
return ifurlup(settings.check.url, {settings.pool})