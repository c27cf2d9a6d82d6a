local core = ...

core.api.newDN = core.export(function(text)
  return core.new_name(core.name_from_text(core.text_of(text)))
end)
