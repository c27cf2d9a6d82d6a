local core = ...
local text_of, if_up = core.text_of, core.if_up

core.api.ifurlup = core.export(function(url, addresses, options)
  return if_up('url ', text_of(url), addresses, options)
end)
