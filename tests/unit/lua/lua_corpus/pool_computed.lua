;
local pool = {}
for host = 1, 40 do
  pool[#pool+1] = ('192.0.2.%d'):format(host)
end
return pickhashed(pool)