;
local by = { DE = "192.0.2.1", FR = "192.0.2.2", ["ES"] = "192.0.2.3", }
-- Österreich und die Schweiz gehören zu Frankfurt
by.AT, by.CH = by.DE, by.DE
return by[countryCode()] or '198.51.100.1'