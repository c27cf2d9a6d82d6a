local core = ...
local text_of, if_up, sets_of = core.text_of, core.if_up, core.sets_of

core.api.ifurlup = core.export(function(url, addresses, options)
  return if_up('url ', text_of(url), sets_of(addresses), options)
end)
