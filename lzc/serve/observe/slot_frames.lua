-- Frames of dnstap (see slot_frames.py) of what lies in slots, as lzc.serve.observe.dnstap makes
-- them one by one: compiled, it takes 0.1 us for a query and its answer.

local ffi = require('ffi')
local cast, copy, floor, band = ffi.cast, ffi.copy, math.floor, bit.band
local octets_at, words_at, longs_at =
  ffi.typeof('uint8_t *'), ffi.typeof('uint32_t *'), ffi.typeof('uint64_t *')

local SILENT, FRAMES = 1, 2
local QUERY, RESPONSE, PORT = 0x52, 0x72, 0x30
-- What a frame has at most besides its texts: its length, two varints and fields' numbers, the
-- client's port, and an address of 16 octets.
local REST = 64

-- Octets of a varint. A message has less than 2^21: texts are no longer than slots.
local function size_of(n)
  if n < 128 then return 1 end
  return n < 16384 and 2 or 3
end

-- Each writes n at p, and returns where it ends.
local function varint(p, n)
  if n < 128 then
    p[0] = n
    return p + 1
  end
  p[0] = n % 128 + 128
  if n < 16384 then
    p[1] = floor(n / 128)
    return p + 2
  end
  p[1], p[2] = floor(n / 128) % 128 + 128, floor(n / 16384)
  return p + 3
end

local function text(p, from, octets)
  copy(p, from, octets)
  return p + octets
end

local function length(p, n)
  p[0], p[1], p[2], p[3] = 0, floor(n / 65536), floor(n / 256) % 256, n % 256
  return p + 4
end

local function fixed32(p, n)
  p[0], p[1] = n % 256, floor(n / 256) % 256
  p[2], p[3] = floor(n / 65536) % 256, floor(n / 16777216)
end

local function nanoseconds(p, seconds)
  fixed32(p, floor(seconds % 1 * 1e9))
end

-- Of the slots whose octets are at these addresses; see `Slots` in slot_frames.py. A client's host
-- has own octets, which begin at host of its socket address.
return function(
  memory, received, answers, clients, marks, sizes, size_step, answer_sizes, answer_step,
  slot, name, host, own
)
  memory, received = cast(octets_at, memory), cast(octets_at, received)
  answers, clients = cast(octets_at, answers), cast(octets_at, clients)
  marks = cast(octets_at, marks)
  sizes, answer_sizes = cast(words_at, sizes), cast(longs_at, answer_sizes)
  -- What is the same of all frames; of all queries, up to the client; of all answers. Pointers
  -- into what is kept.
  local head, asked, answered
  local head_size, asked_size, answered_size = 0, 0, 0
  local asked_at, sent_at, answered_at = 0, 0, 0
  local together = false
  local kept

  -- ``*_at`` are where nanoseconds go.
  local function begin(a_head, an_asked, its_at, an_answered, its_sent_at, its_asked_at, both)
    head_size, asked_size, answered_size = #a_head, #an_asked, #an_answered
    kept = {}
    for index, one in ipairs({a_head, an_asked, an_answered}) do
      kept[index] = ffi.new('uint8_t[?]', #one)
      copy(kept[index], one, #one)
    end
    head, asked = cast(octets_at, kept[1]), cast(octets_at, kept[2])
    answered = cast(octets_at, kept[3])
    asked_at, sent_at, answered_at, together = its_at, its_sent_at, its_asked_at, both
  end

  -- Frames of the first count slots, as far as they are marked, from place up to stop in memory;
  -- how many octets they are, and how many frames. Where that does not suffice, the octets that
  -- would, below zero.
  local function write(count, received_at, answered_time, place, stop)
    nanoseconds(asked + asked_at, received_at)
    nanoseconds(answered + answered_at, received_at)
    nanoseconds(answered + sent_at, answered_time)
    local start, room = memory + place, stop - place
    local p, need, frames = start, 0, 0
    for n = 0, count - 1 do
      local mark = marks[n]
      if band(mark, FRAMES) ~= 0 then
        local silent = band(mark, SILENT) ~= 0
        local query = sizes[n * size_step]
        local answer = silent and 0 or tonumber(answer_sizes[n * answer_step])
        need = need + 2 * (head_size + REST) + asked_size + answered_size + query + answer
        if need <= room then
          local client = clients + n * name
          local port = client[2] * 256 + client[3]
          if silent or not together then
            local rest = 1 + size_of(query) + query + asked_size + own + 4
            p = length(p, head_size + size_of(rest) + rest)
            p = varint(text(p, head, head_size), rest)
            p[0] = QUERY
            p = text(varint(p + 1, query), received + n * slot, query)
            p = text(text(p, asked, asked_size), client + host, own)
            p[0], p[1], p[2], p[3] =
              PORT, port % 128 + 128, floor(port / 128) % 128 + 128, floor(port / 16384)
            p, frames = p + 4, frames + 1
          end
          if not silent then
            local rest = 1 + size_of(answer) + answer + answered_size + own + 4
            if together then rest = rest + 1 + size_of(query) + query end
            p = length(p, head_size + size_of(rest) + rest)
            p = varint(text(p, head, head_size), rest)
            if together then
              p[0] = QUERY
              p = text(varint(p + 1, query), received + n * slot, query)
            end
            p[0] = RESPONSE
            p = text(varint(p + 1, answer), answers + n * slot, answer)
            p = text(text(p, answered, answered_size), client + host, own)
            p[0], p[1], p[2], p[3] =
              PORT, port % 128 + 128, floor(port / 128) % 128 + 128, floor(port / 16384)
            p, frames = p + 4, frames + 1
          end
        end
      end
    end
    if need > room then return -need, 0 end
    return tonumber(p - start), frames
  end

  return begin, write
end
