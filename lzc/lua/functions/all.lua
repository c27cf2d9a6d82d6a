local core = ...
local items_of = core.items_of

core.api.all = core.export(function(list) return (items_of(list)) end)
