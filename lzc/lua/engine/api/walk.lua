-- The order in which PowerDNS walks weighted items: that of a hash table of C++ (libstdc++'s
-- unordered_map<int, ...>) that they were put into by their keys.

local core = ...
local error, next, floor, fmod = error, next, math.floor, math.fmod

-- How many buckets such a table has as it grows; it grows when it holds as many keys.
local ROOM = {13, 29, 59, 127, 257, 541, 1109, 2357, 5087, 10273, 20753, 42043, 85229, 172933}

local function bucket_of(key, room)
  if key >= 0 then return key % room end
  -- A negative int turns into a large unsigned 64-bit number first.
  return (fmod(18446744073709551616, room) + key) % room
end

-- All nodes hang on one chain that starts at `head`; a bucket knows the node before its first.
local function place(head, before, bucket, node, room)
  local predecessor = before[bucket]
  if predecessor then
    node.follow = predecessor.follow
    predecessor.follow = node
    return
  end
  node.follow = head.follow
  head.follow = node
  if node.follow then before[bucket_of(node.follow.key, room)] = node end
  before[bucket] = head
end

-- Growing takes the nodes along the chain, one by one, into the new buckets.
local function rehash(head, room)
  local before, node = {}, head.follow
  head.follow = nil
  while node do
    local follow = node.follow
    place(head, before, bucket_of(node.key, room), node, room)
    node = follow
  end
  return before
end

-- The places (1 for the first key) in the order of the walk. A key that is there already is left out.
local function walk_of(keys, count)
  local head, before, present, size, step, room = {}, {}, {}, 0, 0, 0
  for index = 1, count do
    local key = keys[index]
    if not present[key] then
      present[key] = true
      if size == room then
        step = step + 1
        room = ROOM[step]
        if not room then error('Caught exception: too many items', 0) end
        before = rehash(head, room)
      end
      place(head, before, bucket_of(key, room), {key = key, index = index}, room)
      size = size + 1
    end
  end
  local walk, node = {}, head.follow
  while node do
    walk[#walk + 1] = node.index
    node = node.follow
  end
  return walk
end

local lists = {}

-- The walk of a plain list of `count` items.
function core.list_walk(count)
  local known = lists[count]
  if known then return known end
  local keys = {}
  for index = 1, count do keys[index] = index end
  known = walk_of(keys, count)
  if count <= 1024 then lists[count] = known end
  return known
end

-- The walk of a table with other keys, which are cut to whole numbers.
function core.table_walk(list)
  local keys, count = {}, 0
  for key in next, list do
    count = count + 1
    keys[count] = key < 0 and -floor(-key) or floor(key)
  end
  return walk_of(keys, count)
end
