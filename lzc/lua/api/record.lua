-- DNSRecord and DNSResourceRecord: records that a record's own code makes to pass around. Nothing of
-- them goes into an answer by itself.

local core = ...
local type, error, setmetatable, rawget, rawset = type, error, setmetatable, rawget, rawset
local tonumber, select, floor = tonumber, select, math.floor
local export, class, text_of, type_code = core.export, core.class, core.text_of, core.type_code
local parse, new_address, new_name = core.parse, core.new_address, core.new_name

local function wire_of(name)
  local wire = type(name) == 'table' and rawget(name, 'wire')
  if type(wire) ~= 'string' then error('DNSName expected', 0) end
  return wire
end

local function number_of(value)
  local number = tonumber(value)
  if not number then error('number expected', 0) end
  return floor(number)
end

-- How PowerDNS writes a content of a type, or nil for what is none.
local function content_of(code, text) return core.python_content(code, text_of(text)) end

local function checked_content(code, text)
  local content = content_of(code, text)
  if not content then error("Caught exception: cannot parse content '" .. text_of(text) .. "'", 0) end
  return content
end

local function text_field(record, field)
  local value = type(record) == 'table' and rawget(record, field)
  if type(value) ~= 'string' then error('DNSRecord expected', 0) end
  return value
end

-- Its attributes are plain fields, which a record may set.
local Record = class({
  getContent = function(self) return text_field(self, 'text') end,
  getCA = function(self)
    text_field(self, 'text')
    local code = rawget(self, 'type')
    if code ~= 1 and code ~= 28 then return nil end
    return new_address((parse(text_field(self, 'text'))))
  end,
  changeContent = function(self, text)
    text_field(self, 'text')
    rawset(self, 'text', checked_content(number_of(rawget(self, 'type')), text))
  end,
}, {})

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
  return setmetatable({
    name = new_name(wire_of(name)), type = code, ttl = number_of(ttl),
    text = checked_content(code, content), place = number_of(place),
  }, Record)
end, 5)

local function field(name)
  return function(self)
    text_field(self, 'text')
    return rawget(self, name)
  end
end
local function always(value)
  return function(self)
    text_field(self, 'text')
    return value
  end
end

local Resource = class({
  wildcardName = function(self)
    text_field(self, 'text')
    return new_name('')
  end,
  toString = field('text'), content = field('text'),
  qname = function(self) return new_name(text_field(self, 'owner')) end,
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
    owner = wire_of(name), code = code, seconds = number_of(ttl),
    text = content_of(code, content) or text_of(content),
    domain = domain == nil and -1 or number_of(domain),
    authoritative = auth == nil or number_of(auth) ~= 0,
  }, Resource)
end, 6)
