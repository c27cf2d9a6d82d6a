"""LUA records that zone transfers have broken, or could: written by hand, and made at random.

Each is a piece of code, and a way to write it into a zone file. The code gives a string that means
itself in a TXT record, whatever it started from.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

HEX = b"""'[^0-9A-Za-z]',function(c) return ('-%02x'):format(c:byte()) end"""
"""Arguments of gsub that make any string one of letters, digits and hyphens."""


def text(code: str | bytes) -> bytes:
    return code.encode() if isinstance(code, str) else code


def value(code: str | bytes) -> bytes:
    """A record that gives a string or number: an expression."""
    return b"(((" + text(code) + b")..''):gsub(" + HEX + b"))"


def chunk(code: str | bytes) -> bytes:
    """A record of statements, which return what ``hex`` gives."""
    return b";local function hex(s) return ((s..''):gsub(" + HEX + b")) end " + text(code)


ESCAPES: list[str | bytes] = [
    r'"\a\b\f\n\r\t\v\\\"\'"',
    r"'\a\b\f\n\r\t\v\\\"\''",
    r'"\0\00\000\1\12\123\255\0341\92"',
    r"'\10\0100\9\39\34\92x'",
    "'a\\\nb'",
    "'a\\\r\nb\\\n\rc'",
    '"it\'s"',
    "'say \"hi\"'",
    '"\\"quoted\\" and \\\\back\\\\"',
    "'%d%%'..\"%s\"",
    '"ä€😀"',
    "'grün'..'é'",
    r"'\195\188'",
    "''",
    '""',
    "' '",
    '"   "',
    '"  two  blanks  "',
    r'"\032\032"',
    "'-- no comment'",
    '"-- no comment" -- but this\n',
    "'--[[ no comment ]]'",
    "'[[no bracket]]'",
    "';'",
    "'\\\\'",
    r"'\\n'",
    r"'\\\n'",
    "']]'..\"]=]'\"",
    "'\t'",
    '"a\tb"',
    "'" + "".join(f"\\{n}" for n in range(256)) + "'",
    '"' + "".join(f"\\{n:03}" for n in range(255, -1, -1)) + '"',
    b"'\xff\xfe\x80\xc3'",
    b"'" + bytes(octet for octet in range(1, 256) if octet not in b"'\\\r\n") + b"'",
    b"'\x01\x02\x7f\x1b'",
]

BRACKETS = [
    "[[plain]]",
    "[[]]",
    "[=[]=]",
    "[[\nfirst line end goes]]",
    "[[\r\nfirst line end goes]]",
    "[[\n\nthe second stays\n]]",
    "[[a\r\nb\rc\n\rd]]",
    "[[a]b]=]c]]",
    "[=[a]]b]==]c]=]",
    "[==[ [[x]] [=[y]=] ]==]",
    "[===[]]]=]]==]]===]",
    "[====[ ' \" \\ ]] ]=] ]==] ]===] ]====]",
    '[[it\'s]]..[["quoted"]]',
    "[[no \\n escape]]",
    "[[ä \t€]]",
    "({[ [[k]] ]='v'})[ [[k]] ]",
    "({[ [=[k]=] ]='v'})[ [=[k]=] ]",
    "([[x]]):rep(3)",
    "#[[a\nb]]",
]

COMMENTS = [
    "'a' -- comment\n",
    "'a' --\n..'b'",
    "--[[ in\nfront ]]'a'",
    "'a'--[==[ ]] ]=] \n ]==]..'b'",
    "'a' --[ a line comment \n ..'b'",
    "'a' --[=  a line comment ]]\n ..'b'",
    "'a'--[[]]..--[[ö]]'b'--\"\n",
    "1 --[[x]] - --[[y]] - --[[z]] 1",
    "'a'--\r\n..'b'--\r\n",
    "'a'..--'b'..\n'c'",
    "'a'--[[" + "long " * 400 + "]]..'b'",
    "'a'--" + "x" * 300 + "\n..'b'",
]

NUMBERS = [
    "0x1F",
    "0XaB+0",
    "1e3",
    "1E-3",
    ".5+5.",
    "3.25e+2",
    "1 ..2",
    "1. ..2",
    "0xA ..'x'",
    "1e1 ..'x'",
    "- -1",
    "-(-1)",
    "1 - -1",
    "1-(-(-1))",
    "2^-3",
    "-2^2",
    "2^3^2",
    "not nil==true and 1 or 2",
    "1<2 and 3>=3 and 4~=5 and 'y' or 'n'",
    "12345678901234567890123456789012345678901234567890123456789",
    "7%3*2/4",
    "'10'+5",
    '"2\\n"^2',
    "#'abc'+#{1,2,3}",
    "'a'<'b' and 1 or 0",
]

CALLS = [
    "('x'):rep(3)",
    '("q\\""):rep(2)',
    '("a\\nb"):len()',
    '#"a\\"b"',
    "tostring'x'",
    'tostring"a\\"b"',
    "tostring[[x]]",
    "tostring[==[a]]b\n]==]",
    "type{}",
    "('%s|%s'):format('a',\"b\\\\\")",
    "('a,b'):gsub(',', \"\\n\")",
    "select('#', 'a', \"\\n\", [[b]])",
    '(function(...) return select(2, ...) end)(\'a\', "b\\"")',
    "({a={b={c='d'}}}).a.b.c",
    "({['a b']='c'})['a b']",
    '({["a\\"b"]=\'c\'})["a\\"b"]',
    "({1,2;3,[10]=4,x=5,})[3]",
    'table.concat({\'a\',"b\\n",[[c]]},"\\t")',
    "('x'):upper():lower():rep(2,nil)",
    "(('x')..(\"y\\\"\")..('z')):reverse()",
    "string.char(34,92,10)",
    "('abc'):sub(2):byte()",
    '"a\\n"..1 .."b\\n"..2',
    '"a\\""=="a\\"" and \'same\' or \'other\'',
    '(\'x\').rep("\\"",3)',
]

CHUNKS = [
    "return'x'",
    'return"x"',
    "return[[x]]",
    "return('x')",
    'return hex"\\""',
    "return hex[==[\\]==]",
    "if'x'then return'a'else return'b'end",
    "local a='1'local b=2 return a..b",
    "x='1'y=2 return x..y",
    "local a, b, c = 'a', \"b\\\\\"\nreturn hex(a..b..tostring(c))",
    'local string = nil\nreturn hex("quote \\" without string")',
    "local string, table = 1, 2 return hex('\\n'..string..table)",
    "local s = 0 for i = 1, 10, 3 do s = s + i end return s..''",
    "local s = 0 for i = 10, 1, -3 do if i < 4 then break end s = s + i end return s..''",
    "local s = '' for i, v in ipairs{'a', \"b\\\"\"} do s = s .. i .. v end return hex(s)",
    "local i = 0 while true do i = i + 1 if i == 5 then break end end return i..''",
    "local i = 0 repeat local j = i i = i + 1 until j == 3 return i..''",
    "do local a = 'in' end local a = 'out' do local a = a .. 'er' return a end",
    "local function f(n) if n < 2 then return 1 end return n * f(n - 1) end return f(6)..''",
    "local t = {a={}} function t.a.f(x) return x..'!' end function t.a:g(x) return self.f(x) end "
    'return hex(t.a:g"\\"")',
    "local function v(...) local a, b = ... return select('#', ...)..a..tostring(b) end "
    "return v('x')..v('y', 'z')..v((v('p', 'q')))",
    "local f = function() return end return tostring((f()))",
    "local t = setmetatable({}, {__index = function(_, k) return k..'!' end}) return hex(t.abc)",
    "local ok, e = pcall(function() error('E', 0) end) return hex(tostring(ok)..e)",
    "local a\n\n=\n\n'x'\n\nreturn\n\na",
    "local\ta\v=\f'x'\r\nreturn\ta",
    "return -- comment before the value\n'x'",
    "return 'x' -- comment at the end",
    "return 'x' --[[ comment at the end ]]",
    "return 'x';",
    "local a = 'x'; local b = 'y'; return a..b;",
    "local t = {} t.x, t['y'], t[1] = 'a', 'b' return t.x..t.y..tostring(t[1])",
    'local t = {f = function(self, s) return s end} return hex(t:f\'x\'..t:f"\\""..t:f[[z]])',
    "local n = 0 for k, v in pairs{a=1, b=2} do n = n + v end return n..''",
    'local loadstring = loadstring or load return hex(loadstring(\'return "\\\\"x"\')())',
    "return hex(('x'):rep(3, nil)..(\"a\\nb\"):gsub('\\n', \"\\\\n\"))",
    "local and_, nott, end1 = 'a', 'b', 'c' return and_..nott..end1",
    "if nil then elseif false then else return 'e' end",
    "local f = function(a) return function(b) return a..b end end return f'x''y'",
    'local f = function(a) return function(b) return a..b end end return hex(f"\\""[[\n\ny]])',
]

ADDRESSES = ", ".join(f"'192.0.2.{n}'" for n in range(1, 61))

LONG = [
    *("'" + "x" * size + "'" for size in (200, 253, 254, 255, 256, 300, 1000, 3000)),
    '"' + "a\\n" * 300 + '"',
    "[[" + "b]" * 400 + "c]]",
    "[=[\n" + "line\n" * 200 + "]=]",
    "#'" + "y" * 1000 + "'",
    "('" + "z" * 600 + "'):len()",
    "'" + "ü" * 200 + "'",
    "'" + " " * 700 + "'",
    "..".join(f"'{n}'" for n in range(150)),
    "..".join(f'"{n}\\n"' for n in range(100)),
    "(" * 60 + "'deep'" + ")" * 60,
    "({" + "{" * 39 + "'t'" + "}" * 40 + ")" + "[1]" * 40,
    "(function() return " * 20 + "'f'" + " end)()" * 20,
    "- " * 101 + "1",
    "+".join(["1"] * 180),
    " and ".join(["'a'"] * 60),
    "({" + ADDRESSES + "})[57]",
    "table.concat({" + ADDRESSES + "},',')",
]

NAME = "a_name_of_sixty_letters_" + "n" * 36
LONG_CHUNKS = [
    # Lists that a secondary cut inside an address.
    "local a = {" + ADDRESSES + "} return hex(a[31]..a[60]..#a)",
    "local eu={" + ADDRESSES + "} local us={" + ADDRESSES + "} return hex(eu[7]..us[8])",
    # The shape of code that was cut inside a word, without the health checks.
    "local function up(url, sets, options) return sets[1] end local first_choice = up('http://"
    "a-really-long-name-to-make-the-record-longer-than-one-string.domain.example.org:8081/metrics'"
    ", {{'10.255.255.10', '10.255.255.11'}}, {backupSelector='all'}); local second_choice = "
    "up(8081,{{'10.255.255.12', '10.255.255.13'}}, {backupSelector='all'}); if(#first_choice > 1) "
    "then return hex(second_choice[1]) else return hex(first_choice[1]) end",
    "local function area(a) return a == 'SA' end if(area('EU')) then return 'eu' "
    "elseif(area('NA')) then return 'na' elseif(area('SA')) then return "
    "hex('south-america.tests.example.net') elseif("
    "area('AS')) then return hex('asia.tests.example.net') else return hex('row.example.net') end",
    # Lines as an editor or an API has them.
    "local a = 'one'\nlocal b = 'two'\n\nif a == b then\n\treturn 'same'\nend\nreturn a .. b\n",
    "answers = {{'10.20.58.58', true}, {'10.178.60.249', true}, {'10.183.96.244', true}, "
    "{'10.20.61.58', true}} function pickup(t) local lt = {} for i, v in ipairs(t) do if v[2] then "
    "table.insert(lt, i, v[1]) end end return lt[3] end return hex(pickup(answers))",
    f"local {NAME} = 'x' return {NAME} .. {NAME}",
    f"local {'n' * 200}, {'m' * 200}, {'o' * 250} = 'x', 'y', 'z' return {'m' * 200}",
    "if true then " * 30 + "return 'deep' " + "end " * 30,
    "do local a = 1 " * 30 + "return a .. '' " + "end " * 30,
    "local t = {} " + "".join(f"t[{n}] = 'v{n}' " for n in range(100)) + "return t[99]",
    *(
        "local r = {} " + 'r[#r+1] = "q\\"" ' * count + "return hex(table.concat(r))"
        for count in range(5, 15)
    ),
    *(
        "local " + "v" * pad + " = 'x' " + "if false then return 'no' end " * 8 + "return 'literal'"
        for pad in range(1, 31)
    ),
    # `return` and its literal on either side of the end of a string.
    *(
        "local " + "v" * pad + " = 'y' " + "local w = 'w' " * 10 + 'return"literal"'
        for pad in range(1, 31)
    ),
]


def four_kilobytes() -> bytes:
    """What grows in operators' zone files: comments, double quotes and accents, over many lines."""
    lines = [
        "-- Répartition: où les clients vont, et pourquoi",
        "--[[ Überblick:",
        '     "eu" und "us", sonst "row" ]]',
        "local sites = {",
    ]
    for n in range(40):
        lines.append(
            f'    {{ name = "site \\"{n}\\" é", weight = {n}, tags = {{ \'a{n}\', [[ü]] }} }},'
        )
    lines += ["}", "local out = {}", "for index, site in ipairs(sites) do -- chaque site"]
    lines += ["    if site.weight % 13 == 0 then", '        out[#out + 1] = index .. ":" ..', ""]
    lines += ["            site.name .. '/' .. table.concat(site.tags, \"\\t\")", "    end", "end"]
    lines += [f"-- ligne {n}: \"ceci n'est pas du code\", même s'il y a des end" for n in range(14)]
    lines += ['return hex(table.concat(out, "\\n"))', ""]
    return chunk("\n".join(lines))


class Made:
    """Code at random, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def octets(self) -> bytes:
        alphabet = self.random.choice(
            [b"abc", b"a'\"\\", b"\n\r\t a", bytes(range(256)), "äß€😀 ".encode(), b"]=[-", b"09%."]
        )
        size = self.random.choice([0, 1, 2, 5, 20, 80])
        return bytes(self.random.choice(alphabet) for _ in range(size))

    def literal(self) -> bytes:
        octets = self.octets()
        if self.random.random() < 0.3 and b"\r" not in octets and not octets.startswith(b"\n"):
            level = b"=" * self.random.randrange(4)
            # Plain Lua 5.1 refuses [[ in [[ ]].
            if (
                b"]" + level not in octets
                and (level or b"[[" not in octets)
                and not octets.endswith(b"]")
            ):
                return b"[" + level + b"[" + octets + b"]" + level + b"]"
        quote = self.random.choice(b"'\"")
        parts = []
        for octet in octets:
            if octet in (quote, 0x5C, 0x0A, 0x0D, 0) or self.random.random() < 0.05:
                if octet in (quote, 0x5C, 0x0A):
                    parts.append(self.random.choice([b"\\%03d" % octet, b"\\" + bytes((octet,))]))
                else:
                    parts.append(b"\\%03d" % octet)
            else:
                parts.append(bytes((octet,)))
        return bytes((quote,)) + b"".join(parts) + bytes((quote,))

    def blank(self) -> bytes:
        return self.random.choice(
            [b" ", b" ", b"\n", b"\t", b" -- c'\"\n", b"--[[ x ]]", b"--[=[ ]] \n]=] ", b"\r\n"]
        )

    def string(self, depth: int) -> bytes:
        """An expression that gives a string."""
        kind = self.random.randrange(9) if depth else 0
        gap = self.blank()
        if kind < 3:
            return self.literal()
        inner = self.string(depth - 1)
        if kind == 3:
            return inner + gap + b".." + self.blank() + self.string(depth - 1)
        if kind == 4:
            return b"(" + inner + gap + b")"
        if kind == 5:
            return b"(" + inner + b"):rep(" + gap + b"%d)" % self.random.randrange(4)
        if kind == 6:
            key = self.literal()
            return b"({[" + gap + key + gap + b"]=" + inner + b"})[" + gap + key + gap + b"]"
        if kind == 7:
            return b"(function(a" + gap + b")return" + gap + b"a end)(" + inner + b")"
        return b"tostring (#" + self.blank() + b"(" + inner + b"))"

    def statements(self, count: int) -> bytes:
        parts = [b"local r={}"]
        for _ in range(count):
            made = b"r[#r+1]=" + self.string(2)
            shape = self.random.randrange(4)
            if shape == 1:
                made = b"if #r<9 then" + self.blank() + made + self.blank() + b"end"
            elif shape == 2:
                made = b"for i=1,2 do" + self.blank() + made + self.blank() + b"end"
            elif shape == 3:
                made = b"do local r=r" + self.blank() + made + self.blank() + b"end"
            parts.append(made)
        return self.blank().join(parts) + b"\nreturn hex(table.concat(r,','))"


def codes() -> Iterator[bytes]:
    expressions: list[str | bytes] = [*ESCAPES, *BRACKETS, *COMMENTS, *NUMBERS, *CALLS, *LONG]
    for expression in expressions:
        yield value(expression)
    for statements in [*CHUNKS, *LONG_CHUNKS]:
        yield chunk(statements)
    made = Made(20261121)
    for _ in range(60):
        yield value(made.string(4))
    for _ in range(60):
        yield chunk(made.statements(6))


def in_one_string(code: bytes) -> str:
    shown = code.decode("utf-8", "backslashreplace") if is_utf8(code) else code.decode("latin-1")
    return '"' + "".join(escape(character, is_utf8(code)) for character in shown) + '"'


def is_utf8(code: bytes) -> bool:
    try:
        code.decode()
    except UnicodeDecodeError:
        return False
    return True


def escape(character: str, as_utf8: bool = True) -> str:
    if character in '"\\':
        return "\\" + character
    if character < " " or character == "\x7f" or (character > "~" and not as_utf8):
        return f"\\{ord(character):03}"
    return character


def in_escapes(code: bytes) -> str:
    return (
        '"' + "".join(chr(o) if chr(o).isalnum() and o < 128 else f"\\{o:03}" for o in code) + '"'
    )


def in_lines(code: bytes) -> str:
    """Cut without regard for tokens: strings are joined as they are."""
    parts = [code[at : at + 61] for at in range(0, len(code), 61)]
    quoted = ['"' + "".join(escape(chr(octet), False) for octet in part) + '"' for part in parts]
    return "(\n    " + " ; a comment\n    ".join(quoted) + "\n    )"


def in_digits(code: bytes) -> str:
    parts = [code[at : at + 255] for at in range(0, len(code), 255)]
    rdata = b"\x00\x10" + b"".join(bytes((len(part),)) + part for part in parts)
    return f"\\# {len(rdata)} ( {rdata[:40].hex()}\n {rdata[40:].hex()} )"


class Entry(NamedTuple):
    """A record of the zone: its label, the code that is meant, its line, and the file it names."""

    label: str
    code: bytes
    line: str
    file: bytes | None = None


WAYS: list[Callable[[bytes], str]] = [in_one_string, in_lines, in_escapes, in_digits]


def corpus() -> list[Entry]:
    """All records: each code in one way to write it, and those by hand in a .lua file as well."""
    entries = []
    found = [*codes(), four_kilobytes()]
    for number, code in enumerate(found):
        label = f"r{number}"
        way = WAYS[number % len(WAYS)]
        rrtype = "TYPE65402" if way is in_digits else "LUA TXT"
        entries.append(Entry(label, code, f"{label} 60 IN {rrtype} {way(code)}"))
        if number % 3 == 0 or code is found[-1]:
            in_file = code.removeprefix(b";")
            if number % 2:
                in_file = in_file.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            line = f'f{number} 60 IN LUA TXT $FILE "lua/{number}.lua"'
            entries.append(Entry(f"f{number}", code, line, in_file))
    return entries
