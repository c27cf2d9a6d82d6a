-- Bob Jenkins' hash of 1996 ("lookup2", public domain), initial value 0: the same client gets the
-- same item from every server that uses it.

local core = ...
local byte = string.byte
local bxor, lshift, rshift, tobit = bit.bxor, bit.lshift, bit.rshift, bit.tobit

local function mix(a, b, c)
  a = bxor(a - b - c, rshift(c, 13))
  b = bxor(b - c - a, lshift(a, 8))
  c = bxor(c - a - b, rshift(b, 13))
  a = bxor(a - b - c, rshift(c, 12))
  b = bxor(b - c - a, lshift(a, 16))
  c = bxor(c - a - b, rshift(b, 5))
  a = bxor(a - b - c, rshift(c, 3))
  b = bxor(b - c - a, lshift(a, 10))
  c = bxor(c - a - b, rshift(b, 15))
  return a, b, c
end

local GOLDEN = tobit(0x9e3779b9)

-- 0 to 2^32 - 1.
function core.lookup2(text)
  local size = #text
  if size == 4 then
    local p, q, r, s = byte(text, 1, 4)
    local _, _, c = mix(GOLDEN + p + q * 256 + r * 65536 + s * 16777216, GOLDEN, 4)
    return c % 4294967296
  end
  local a, b, c, position = GOLDEN, GOLDEN, 0, 1
  while position + 11 <= size do
    local p, q, r, s, t, u, v, w, x, y, z, last = byte(text, position, position + 11)
    a = a + p + q * 256 + r * 65536 + s * 16777216
    b = b + t + u * 256 + v * 65536 + w * 16777216
    c = c + x + y * 256 + z * 65536 + last * 16777216
    a, b, c = mix(a, b, c)
    position = position + 12
  end
  -- The lowest octet of c is kept for the length.
  local p, q, r, s, t, u, v, w, x, y, z = byte(text, position, size)
  a = a + (p or 0) + (q or 0) * 256 + (r or 0) * 65536 + (s or 0) * 16777216
  b = b + (t or 0) + (u or 0) * 256 + (v or 0) * 65536 + (w or 0) * 16777216
  c = c + size + (x or 0) * 256 + (y or 0) * 65536 + (z or 0) * 16777216
  a, b, c = mix(a, b, c)
  return c % 4294967296
end
