local core = ...
local error, gsub = error, string.gsub
local random, export, ours, parse = core.random, core.export, core.ours, core.parse
local here, located, items_of, remember = core.here, core.located, core.items_of, core.remember
local api = core.api

-- The nearest of candidate texts, by squared degrees; among equals, a random one. `parsed` are their
-- octets, where they are known.
function core.pickclosest(items, count, parsed)
  local place = here()
  local latitude, longitude = place[4], place[5]
  local nearest, least, ties = nil, nil, 0
  for i = 1, count do
    local candidate = located(parsed and parsed[i] or (parse(items[i])))
    local dy, dx = latitude - candidate[4], longitude - candidate[5]
    -- From a client in the east to a candidate in the west; PowerDNS goes the long way back.
    if dx > 180 then dx = 360 - dx end
    local distance = dy * dy + dx * dx
    if not least or distance < least then
      nearest, least, ties = items[i], distance, 1
    elseif distance == least then
      ties = ties + 1
      if random(ties) == 1 then nearest = items[i] end
    end
  end
  ours(count * 20)
  return nearest
end
api.pickclosest = export(function(list)
  local _, text = parse(core.pickclosest(items_of(list)))
  return text
end)

-- Candidates from the name asked for, 192-0-2-1.198-51-100-1.magic.example.org: labels from the first
-- on, as long as they are addresses.
local candidates = remember(function(qname)
  local labels, total = core.labels_of(qname)
  local texts, parsed, count = {}, {}, 0
  for i = 1, total do
    local packed, text = core.python_parse((gsub(labels[i], '-', '.')))
    if not packed then break end
    count = count + 1
    texts[count], parsed[count] = text, packed
  end
  return {texts, count, parsed}
end, 512)
api.closestMagic = export(function()
  local found = candidates(core.qname)
  if found[2] == 0 then error('Caught exception: The IP list cannot be empty', 0) end
  return core.pickclosest(found[1], found[2], found[3])
end)
