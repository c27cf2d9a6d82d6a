local core = ...
local text_of, network_of = core.text_of, core.network_of

core.api.newNetmask = core.export(function(text)
  network_of(text)
  return core.netmask_of(text_of(text))
end)
