-- DNSRecord and DNSResourceRecord: records that a record's own code makes to pass around. Nothing of
-- them goes into an answer by itself.

local core = ...
local type, error, setmetatable, rawget, rawset = type, error, setmetatable, rawget, rawset
local tonumber, select = tonumber, select
local export, class, text_of, type_code = core.export, core.class, core.text_of, core.type_code
local parse, new_address, new_name = core.parse, core.new_address, core.new_name

local wire_of = core.field_of('DNSName', 'wire', 'string')

-- Numbers are those of C++: what does not fit is cut off. `size` is how many there are.
local function number_of(value, size)
  local number = type(value) ~= 'table' and tonumber(value)
  if not number then error('number expected', 0) end
  number = core.int(number)
  return size and number % size or number
end

-- How PowerDNS writes a content of a type, or nil for what is none.
local function content_of(code, text) return core.python_content(code, text_of(text)) end

local function checked_content(code, text)
  local content = content_of(code, text)
  if not content then error("Caught exception: cannot parse content '" .. text_of(text) .. "'", 0) end
  return content
end

local text_in = core.field_of('DNSRecord', 'text', 'string')
local owner_in = core.field_of('DNSRecord', 'owner', 'string')

-- With rawset, a record may put a table of its own in the place of ours, whose metamethods must not run.
local function attribute(record, name)
  text_in(record)
  return rawget(rawget(record, 'attributes'), name)
end

local Record = class({
  getContent = function(self) return text_in(self) end,
  getCA = function(self)
    local code = attribute(self, 'type')
    if code ~= 1 and code ~= 28 then return nil end
    return new_address((parse(text_in(self))))
  end,
  changeContent = function(self, text)
    rawset(self, 'text', checked_content(attribute(self, 'type'), text))
  end,
}, {})

-- A record may set these, to what they may be.
local SIZE = {type = 65536, ttl = 4294967296, place = 256}
local function checked_attribute(name, value)
  if name == 'name' then return new_name(wire_of(value)) end
  local size = SIZE[name] or error('a DNSRecord has no such field', 0)
  local number = number_of(value, size)
  -- Unlike the others it is an enumeration there, of which there is no half.
  if name == 'place' and tonumber(value) % 1 ~= 0 then error('number of a section expected', 0) end
  return number
end

local methods = Record.__index
Record.__index = core.guard(function(self, name)
  local method = methods[name]
  if method ~= nil then return method end
  return attribute(self, name)
end)
Record.__newindex = core.guard(function(self, name, value)
  text_in(self)
  rawset(rawget(self, 'attributes'), name, checked_attribute(name, value))
end)

local function arguments(wanted, ...)
  if select('#', ...) < wanted then
    error('This function requires at least ' .. wanted .. ' parameter(s)', 0)
  end
  return ...
end

local api = core.api
api.newDR = export(function(...)
  local name, kind, ttl, content, place = arguments(5, ...)
  local code = type_code(text_of(kind))
  local attributes = {type = code, ttl = number_of(ttl, SIZE.ttl), place = number_of(place, SIZE.place)}
  attributes.name = new_name(wire_of(name))
  return setmetatable({attributes = attributes, text = checked_content(code, content)}, Record)
end, 5)

local function field(name)
  return function(self)
    text_in(self)
    return rawget(self, name)
  end
end
local function always(value)
  return function(self)
    text_in(self)
    return value
  end
end

local Resource = class({
  wildcardName = function(self)
    text_in(self)
    return new_name('')
  end,
  toString = field('text'), content = field('text'),
  qname = function(self) return new_name(owner_in(self)) end,
  ttl = field('seconds'), domainId = field('domain'), qtype = field('code'), auth = field('authoritative'),
  lastModified = always(0), signttl = always(0), qclass = always(1), scopeMask = always(0),
  disabled = always(false),
}, {
  __tostring = field('text'),
  __eq = function(a, b)
    return rawget(a, 'code') == rawget(b, 'code') and rawget(a, 'seconds') == rawget(b, 'seconds')
      and rawget(a, 'text') == rawget(b, 'text')
      and string.lower(rawget(a, 'owner')) == string.lower(rawget(b, 'owner'))
  end,
})

api.newDRR = export(function(...)
  local name, kind, ttl, content, domain, auth = arguments(4, ...)
  local code = type_code(text_of(kind))
  return setmetatable({
    owner = wire_of(name), code = code, seconds = number_of(ttl, SIZE.ttl),
    text = content_of(code, content) or text_of(content),
    domain = domain == nil and -1 or number_of(domain),
    authoritative = auth == nil or number_of(auth) ~= 0,
  }, Resource)
end, 6)
