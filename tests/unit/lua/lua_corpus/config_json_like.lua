;
local settings = {
  ["sites"] = {
    ["fra"] = { ["addresses"] = { "192.0.2.1", "192.0.2.2" }, ["weight"] = 3, ["name"] = "Frankfurt" },
    ["zrh"] = { ["addresses"] = { "192.0.2.9" }, ["weight"] = 1, ["name"] = "Zürich \"Nord\"" },
  };
  ["fallback"] = "198.51.100.1",
}
local list = {}
for _, site in pairs(settings.sites) do
  for _, a in ipairs(site.addresses) do list[#list + 1] = {site.weight, a} end
end
table.sort(list, function(x, y) return x[2] < y[2] end)
return pickwhashed(list), settings.sites["zrh"].name