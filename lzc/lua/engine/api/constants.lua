-- The table `pdns`: response codes, type numbers, log levels; and the header of the query.

local core = ...
local next, setmetatable, rawget, tonumber = next, setmetatable, rawget, tonumber
local floor = math.floor
local class, since = core.class, core.since

local CODES = {
  NOERROR = 0, FORMERR = 1, SERVFAIL = 2, NXDOMAIN = 3, NOTIMP = 4, REFUSED = 5, YXDOMAIN = 6,
  YXRRSET = 7, NXRRSET = 8, NOTAUTH = 9, NOTZONE = 10, DROP = -2,
}
local TYPES = {
  A = 1, NS = 2, CNAME = 5, SOA = 6, MB = 7, MG = 8, MR = 9, PTR = 12, HINFO = 13, MINFO = 14, MX = 15,
  TXT = 16, RP = 17, AFSDB = 18, SIG = 24, KEY = 25, AAAA = 28, LOC = 29, SRV = 33, NAPTR = 35, KX = 36,
  CERT = 37, A6 = 38, DNAME = 39, OPT = 41, APL = 42, DS = 43, SSHFP = 44, IPSECKEY = 45, RRSIG = 46,
  NSEC = 47, DNSKEY = 48, DHCID = 49, NSEC3 = 50, NSEC3PARAM = 51, TLSA = 52, SMIMEA = 53, RKEY = 57,
  CDS = 59, CDNSKEY = 60, OPENPGPKEY = 61, CSYNC = 62, ZONEMD = 63, SVCB = 64, HTTPS = 65, SPF = 99,
  NID = 104, L32 = 105, L64 = 106, LP = 107, EUI48 = 108, EUI64 = 109, TKEY = 249, IXFR = 251,
  AXFR = 252, MAILB = 253, MAILA = 254, ANY = 255, URI = 256, CAA = 257, DLV = 32769, ADDR = 65400,
  ALIAS = 65401, LUA = 65402, TSIG = since({[409] = 250}),
  HHIT = since({[501] = 67}), BRID = since({[501] = 68}), RESINFO = since({[501] = 261}),
  WALLET = since({[501] = 262}),
}
local LEVELS = {
  Emergency = 0, Alert = 1, Critical = 2, Error = 3, Warning = 4, Notice = 5, Info = 6, Debug = 7,
}
local PLACES = {QUESTION = 0, ANSWER = 1, AUTHORITY = 2, ADDITIONAL = 3}

core.types, core.log_levels = TYPES, LEVELS

function core.constants()
  local constants = {loglevels = {}, place = {}}
  for name, value in next, CODES do constants[name] = value end
  for name, value in next, TYPES do constants[name] = value end
  for name, value in next, LEVELS do constants.loglevels[name] = value end
  for name, value in next, PLACES do constants.place[name] = value end
  return constants
end

-- The number of a type by its name, TYPE5 or #5, which PowerDNS reads as atoi(3) does; 0 for other text.
function core.type_code(text)
  text = string.upper(text)
  local number = string.match(text, '^TYPE%s*([+-]?%d+)') or string.match(text, '^#%s*([+-]?%d+)')
  return TYPES[text] or number and core.int(tonumber(number)) % 65536 or 0
end

-- The header of the query (RFC 1035 §4.1.1).
local Header
local flags_of = core.field_of('DNSHeader', 'flags', 'number')

local function flag(bit_value)
  return function(self) return floor(flags_of(self) / bit_value) % 2 == 1 end
end
local function field(number)
  return function(self) flags_of(self) return number end
end

local METHODS = {
  getID = function(self) flags_of(self) return rawget(self, 'id') end,
  getAA = flag(1024), getTC = flag(512), getRD = flag(256), getRA = flag(128), getAD = flag(32),
  getCD = flag(16),
  getOPCODE = function(self) return floor(flags_of(self) / 2048) % 16 end,
  getRCODE = function(self) return flags_of(self) % 16 end,
  getQDCOUNT = field(1), getANCOUNT = field(0), getNSCOUNT = field(0),
  -- An OPT record is all that lzc knows to be there (RFC 6891).
  getARCOUNT = function(self) flags_of(self) return core.edns_size > 0 and 1 or 0 end,
}
-- In 5.1 the header is an object without any.
Header = class(since({[407] = METHODS, [501] = {}}), {})

function core.new_header(id, flags) return setmetatable({id = id, flags = flags}, Header) end
