"""A project with every fault that LUA records can have, each marked where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CONFIG: Final = """
[build]
sources = ["zones/*.zone"]
[lua]
enable = true
mode = "shared"
[zone."faulty.example"]
dnssec = true
[zone."off.example"]
lua = false
[tsig."k."]
secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
[[secondary]]
name = "ns2"
address = "127.0.0.1:5301"
software = "powerdns-4.7"
settings = ["edns-subnet-processing"]
tsig = "k."
zones = ["faulty.example"]
"""

TOP: Final = """$TTL 60
@ SOA ns1.example.net. hostmaster 1 10800 3600 604800 300
@ NS ns1.example.net.
"""

Entry = tuple[str, str]
"""The rules that find something, or nothing, and the text of a zone file: ``»`` stands in front of
what each points at."""

ZONES: Final[dict[str, list[Entry]]] = {
    "faulty.example": [
        ("lua-unknown-function", "n01 LUA A \"»pickrandm({'192.0.2.1'})\""),
        (
            "lua-comment-swallows",
            "n30 LUA A ( \"'192.0.2.1' »-- the default\"\n \"or '192.0.2.2'\" )",
        ),
        ("lua-unknown-global", 'n02 LUA A "pickrandom(»pool)"'),
        ("lua-not-provided", "n03 LUA A \"»resolve('a.example', pdns.A)\""),
        ("lua-argument", "n04 LUA A \"ifportup(»'https', {'192.0.2.1'})\""),
        ("lua-option", "n05 LUA A \"ifportup(443, {'192.0.2.1'}, {»selctor='all'})\""),
        (
            "lua-geo-code",
            "n06 LUA A \";if country(»'UK') then return '192.0.2.1' end return '192.0.2.2'\"",
        ),
        ("lua-address-family", "n07 LUA A \"pickrandom({'192.0.2.1', »'2001:db8::1'})\""),
        ("lua-address-family", "n08 LUA AAAA \"»'192.0.2.1'\""),
        ("lua-bad-address", "n09 LUA A \"pickclosest({'192.0.2.1', »'192.0.2.256'})\""),
        ("lua-bad-content", "n10 LUA MX \"»'mail.example.org.'\""),
        ("lua-empty-candidates", 'n11 LUA A "pickrandom(»{})"'),
        ("lua-timeout", "n12 LUA A \"ifportup(443, {'192.0.2.1'}, {»timeout=500})\""),
        (
            "lua-fails lua-secondary-version",
            "»n13 LUA A \"ifportup(443, »{{'192.0.2.1'}, {'192.0.2.2'}})\"",
        ),
        (
            "lua-instructions",
            "n14 LUA A \"»;local n = 0 for i = 1, 999 do n = n + i end return '192.0.2.1'\"",
        ),
        (
            "lua-instructions-near",
            "n15 LUA A \"»;local n = 0 for i = 1, 450 do n = n + i end return '192.0.2.1'\"",
        ),
        ("lua-include", "n16 LUA A \";include(»'nothere') return '192.0.2.1'\""),
        ("lua-include", "n17 LUA A \";include(»'plain') return '192.0.2.1'\""),
        ("", "plain A 192.0.2.1"),
        ("lua-leaking-global", "n18 LUA A \";»answer = '192.0.2.1' return answer\""),
        ("lua-forbidden", "n19 LUA A \";»os.execute('reboot') return '192.0.2.1'\""),
        ("lua-forbidden", "n20 LUA TXT \"»io.open('/etc/passwd'):read()\""),
        ("lua-forbidden", "n21 LUA TXT \";local m = »require('socket') return m.gethostname()\""),
        ("lua-open-forward", '*.fwd LUA A "»createForward()"'),
        ("lua-empty-result", "n22 LUA A \";if tcp then return »{} end return '192.0.2.1'\""),
        ("lua-ttl", "n23 3600 LUA A \"»ifportup(443, {'192.0.2.1'})\""),
        ("lua-suppression-unknown", "»n24 LUA A \"'192.0.2.1'\" ; lzc: ignore lua-nothing"),
        ("lua-suppression-unused", "»n25 LUA A \"'192.0.2.1'\" ; lzc: ignore lua-ttl"),
        ("", '; lzc: ignore lua-open-forward\n*.any LUA A "createForward()"'),
        ("lua-fails", "»n26 LUA A \"('x')()\""),
        ("lua-check-target", "»n30 LUA A \"ifportup(80, {'169.254.1.1'})\""),
        ("lua-type", "»n27 LUA NS \"'ns1.example.net.'\""),
        ("lua-and-static", "»n28 LUA A \"'192.0.2.1'\"\nn28 A 192.0.2.2"),
        # Code over several lines, with escapes of the zone file in front of the fault.
        (
            "lua-unknown-function",
            'n29 LUA TXT ( "\\"a\\" .. "\n    "»pickrandm({\'b\'})" )',
        ),
    ],
    "broken.example": [("lua-syntax", "n1 LUA A \"pickrandom({'192.0.2.1'»\"")],
    "off.example": [("lua-disabled", '»n1 LUA A "is_not_run()"')],
}

Found = tuple[str, str, int, int]
"""A rule, and the file, line and column of what it finds."""


def write(folder: Path) -> list[Found]:
    """Write the project, and say what is to be found in it."""
    (folder / "zones").mkdir()
    (folder / "lzc.toml").write_text(CONFIG)
    (folder / "lzc.toml").chmod(0o600)
    expected: list[Found] = []
    for name, entries in ZONES.items():
        lines = TOP.splitlines()
        for rule, text in entries:
            for line in text.splitlines():
                lines.append(line.replace("»", ""))
                before = line.split("»")[:-1]
                for place, found in enumerate(rule.split() if before else (), 1):
                    column = len("".join(before[:place])) + 1
                    expected.append((found, f"zones/{name}.zone", len(lines), column))
        (folder / "zones" / f"{name}.zone").write_text("\n".join(lines) + "\n")
    return expected
