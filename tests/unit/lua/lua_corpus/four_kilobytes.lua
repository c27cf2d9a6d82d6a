;
-- Länderweise Steuerung: wer näher an "Zürich" ist, bekommt "Zürich".
local sites = {
  { name = "Standort 1 – \"Süd\"", address = '192.0.2.1', weight = 4, codes = { 'DE', "AT" } }, -- seit 2001, "geprüft"
  { name = "Standort 2 – \"Süd\"", address = '192.0.2.2', weight = 7, codes = { 'DE', "AT" } }, -- seit 2002, "geprüft"
  { name = "Standort 3 – \"Süd\"", address = '192.0.2.3', weight = 10, codes = { 'DE', "AT" } }, -- seit 2003, "geprüft"
  { name = "Standort 4 – \"Süd\"", address = '192.0.2.4', weight = 13, codes = { 'DE', "AT" } }, -- seit 2004, "geprüft"
  { name = "Standort 5 – \"Süd\"", address = '192.0.2.5', weight = 16, codes = { 'DE', "AT" } }, -- seit 2005, "geprüft"
  { name = "Standort 6 – \"Süd\"", address = '192.0.2.6', weight = 2, codes = { 'DE', "AT" } }, -- seit 2006, "geprüft"
  { name = "Standort 7 – \"Süd\"", address = '192.0.2.7', weight = 5, codes = { 'DE', "AT" } }, -- seit 2007, "geprüft"
  { name = "Standort 8 – \"Süd\"", address = '192.0.2.8', weight = 8, codes = { 'DE', "AT" } }, -- seit 2008, "geprüft"
  { name = "Standort 9 – \"Süd\"", address = '192.0.2.9', weight = 11, codes = { 'DE', "AT" } }, -- seit 2009, "geprüft"
  { name = "Standort 10 – \"Süd\"", address = '192.0.2.10', weight = 14, codes = { 'DE', "AT" } }, -- seit 2010, "geprüft"
  { name = "Standort 11 – \"Süd\"", address = '192.0.2.11', weight = 17, codes = { 'DE', "AT" } }, -- seit 2011, "geprüft"
  { name = "Standort 12 – \"Süd\"", address = '192.0.2.12', weight = 3, codes = { 'DE', "AT" } }, -- seit 2012, "geprüft"
  { name = "Standort 13 – \"Süd\"", address = '192.0.2.13', weight = 6, codes = { 'DE', "AT" } }, -- seit 2013, "geprüft"
  { name = "Standort 14 – \"Süd\"", address = '192.0.2.14', weight = 9, codes = { 'DE', "AT" } }, -- seit 2014, "geprüft"
  { name = "Standort 15 – \"Süd\"", address = '192.0.2.15', weight = 12, codes = { 'DE', "AT" } }, -- seit 2015, "geprüft"
  { name = "Standort 16 – \"Süd\"", address = '192.0.2.16', weight = 15, codes = { 'DE', "AT" } }, -- seit 2016, "geprüft"
  { name = "Standort 17 – \"Süd\"", address = '192.0.2.17', weight = 1, codes = { 'DE', "AT" } }, -- seit 2017, "geprüft"
  { name = "Standort 18 – \"Süd\"", address = '192.0.2.18', weight = 4, codes = { 'DE', "AT" } }, -- seit 2018, "geprüft"
  { name = "Standort 19 – \"Süd\"", address = '192.0.2.19', weight = 7, codes = { 'DE', "AT" } }, -- seit 2019, "geprüft"
  { name = "Standort 20 – \"Süd\"", address = '192.0.2.20', weight = 10, codes = { 'DE', "AT" } }, -- seit 2020, "geprüft"
  { name = "Standort 21 – \"Süd\"", address = '192.0.2.21', weight = 13, codes = { 'DE', "AT" } }, -- seit 2021, "geprüft"
  { name = "Standort 22 – \"Süd\"", address = '192.0.2.22', weight = 16, codes = { 'DE', "AT" } }, -- seit 2022, "geprüft"
  { name = "Standort 23 – \"Süd\"", address = '192.0.2.23', weight = 2, codes = { 'DE', "AT" } }, -- seit 2023, "geprüft"
  { name = "Standort 24 – \"Süd\"", address = '192.0.2.24', weight = 5, codes = { 'DE', "AT" } }, -- seit 2024, "geprüft"
  { name = "Standort 25 – \"Süd\"", address = '192.0.2.25', weight = 25, codes = { 'DE', "AT" } }, -- seit 2025, "geprüft"
  { name = "Standort 26 – \"Süd\"", address = '192.0.2.26', weight = 26, codes = { 'DE', "AT" } }, -- seit 2026, "geprüft"
  { name = "Standort 27 – \"Süd\"", address = '192.0.2.27', weight = 27, codes = { 'DE', "AT" } }, -- seit 2027, "geprüft"
  { name = "Standort 28 – \"Süd\"", address = '192.0.2.28', weight = 28, codes = { 'DE', "AT" } }, -- seit 2028, "geprüft"
  { name = "Standort 29 – \"Süd\"", address = '192.0.2.29', weight = 29, codes = { 'DE', "AT" } }, -- seit 2029, "geprüft"
  { name = "Standort 30 – \"Süd\"", address = '192.0.2.30', weight = 30, codes = { 'DE', "AT" } }, -- seit 2030, "geprüft"
}
local function wants(site, code)
  for _, c in ipairs(site.codes) do
    if c == code then return true end
  end
  return false
end

local pool, names = {}, {}
for i, site in ipairs(sites) do
  if wants(site, countryCode()) and i % 2 == 0 then
    pool[#pool + 1] = { site.weight, site.address }
    names[#names + 1] = site.name
  end
end
if #pool == 0 then
  --[[ niemand da:
       dann eben alle ]]
  return { "198.51.100.1", "198.51.100.2" }
end
return pickwhashed(pool), table.concat(names, "\n")