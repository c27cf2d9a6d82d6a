;
-- Rota hourly between three addresses - "poor man's" schedule
local hosts = { '192.0.2.1', '192.0.2.2', "192.0.2.3" }
local now = 1700000000
return hosts[math.floor(now / 3600) % #hosts + 1]