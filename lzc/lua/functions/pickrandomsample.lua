local core = ...
local random, items_of, int_of = core.random, core.items_of, core.int_of

core.api.pickrandomsample = core.export(function(size, list)
  local items, count = items_of(list)
  size = int_of(size)
  if size < 0 or size > count then size = count end
  local sample = {}
  for i = 1, size do
    local other = random(i, count)
    items[i], items[other] = items[other], items[i]
    sample[i] = items[i]
  end
  return sample
end)
