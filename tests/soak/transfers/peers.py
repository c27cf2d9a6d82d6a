"""Secondaries that follow what changes: each behind a relay, over TCP or TLS, and with a relay
before it for NOTIFY."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import LOOPBACK
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET
from tests.peers._peers.relay import Relay
from tests.peers._peers.releases import Release
from tests.soak.chaos.secondaries import Secondary
from tests.unit.certificates import NAME

TLS_KEY: Final = "tls.example."
"""The key of secondaries over TLS: what is asked with it in the clear is refused."""
XOT: Final = frozenset({"bind", "nsd", "knot"})

_KEY: Final = {
    "bind": 'key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n',
    "nsd": 'key:\n    name: "{key}"\n    algorithm: hmac-sha256\n    secret: "{secret}"\n',
    "knot": "key:\n  - id: {key}\n    algorithm: hmac-sha256\n    secret: {secret}\n",
}
_REMOTE: Final = {
    "bind": 'tls xot {{ remote-hostname "{name}"; ca-file "{ca}"; }};\n',
    "nsd": 'tls-auth:\n    name: "xot"\n    auth-domain-name: "{name}"\n',
    "knot": """\
remote:
  - id: clear
    address: {primary}@{clear}
    key: {tsig}
  - id: xot
    address: {primary}@{tls}
    key: {key}
    tls: on
    cert-key: {pin}
acl:
  - id: signed
    address: {primary}
    key: [{tsig}, {key}]
    action: notify
  - id: anybody
    address: {primary}
    action: transfer
zone:
""",
}
_ZONE: Final = {
    "bind": """\
zone "{zone}" {{
    type secondary;
    primaries {{ {primary} port {port} key "{key}" {over}; }};
    file "{zone}.db";
    masterfile-format text;
}};
""",
    "nsd": """\
zone:
    name: "{zone}"
    zonefile: "{zone}.db"
    request-xfr: {primary}@{port} {key} {over}
    allow-notify: {primary} {key}
    provide-xfr: {primary} NOKEY
    min-retry-time: 1
    min-refresh-time: 2
""",
    "knot": """\
  - domain: {zone}
    master: {over}
    acl: [signed, anybody]
    retry-min-interval: 1
    refresh-min-interval: 2
""",
}
_OVER: Final = {
    "bind": ("", "tls xot"),
    "nsd": ("", "xot"),
    "knot": ("clear", "xot"),
}
"""In the clear, and over TLS."""
_TLS: Final = "over TLS"
_LOGGED: Final = {
    "powerdns": {
        "AXFR": r"starting AXFR$",
        "IXFR": r"starting IXFR$",
        "done": r"XFR-in zone.*(?:zone committed|got \d+ delta)",
    },
    "bind": {
        "done": r"Transfer status: success",
        _TLS: r"zone .*transferred serial \d+: TSIG 'tls.example'",
    },
    "nsd": {
        "done": r"xfrd: zone \S+ committed",
        _TLS: r"xfrd: zone \S+ committed .*key tls\.example",
    },
    "knot": {
        "AXFR": r"AXFR, incoming,.*finished",
        "IXFR": r"IXFR, incoming,.*finished",
        "done": r"[AI]XFR, incoming,.*finished",
        _TLS: r"[AI]XFR, incoming,.* TLS.*finished",
    },
}
"""What each writes of a transfer: BIND and NSD do not say which it was."""


class Follower(Secondary):
    """One of them. ``relays``: between it and our TCP and TLS; ``notices``: before it. ``over_tls``
    are those of its zones that it takes over TLS."""

    def __init__(self, release: Release, folder: Path) -> None:
        super().__init__(release.software, release.version, folder)
        self.over_tls: frozenset[str] = frozenset()
        self.relays: list[Relay] = []
        self.notices: Relay | None = None

    @property
    def speaks_tls(self) -> bool:
        """Whether it can transfer over TLS."""
        software = self.release.software
        return software in XOT and (software != "knot" or self.release.at_least(3, 4))

    def write(self, ports: tuple[int, int], ca: Path, pin: str) -> None:
        """Its configuration: our relays' ports for TCP and TLS, the CA of our certificate, and its
        pin."""
        software = self.release.software
        kind = KINDS[software]
        self.folder.mkdir(parents=True)
        names = {
            "folder": self.folder,
            "address": LOOPBACK,
            "port": self.port,
            "tsig": TSIG_NAME,
            "key": TLS_KEY,
            "secret": TSIG_SECRET,
            "primary": LOOPBACK,
            "clear": ports[0],
            "tls": ports[1],
            "name": NAME,
            "ca": ca,
            "pin": pin,
        }
        text = kind.head.replace("min-refresh-time 3600;", "min-refresh-time 2; min-retry-time 1;")
        if software == "nsd" and self.speaks_tls:
            text = text.replace("server:", f'server:\n    tls-cert-bundle: "{ca}"', 1)
        text = text.format(**names) + _KEY[software].format(**names)
        remote = _REMOTE[software]
        if software == "knot" and not self.speaks_tls:
            remote = re.sub(r"  - id: xot\n(?:    .*\n)+", "", remote)
        text += remote.format(**names)
        for zone in self.zones:
            tls = zone.name in self.over_tls
            text += _ZONE[software].format(
                zone=zone.name,
                primary=LOOPBACK,
                port=ports[tls],
                key=TLS_KEY if tls else TSIG_NAME,
                over=_OVER[software][tls],
            )
        file = self.folder / f"{kind.name}.conf"
        file.write_text(text)
        self._command = [*self.release.command(kind.program), *kind.arguments, str(file)]

    def ask_for_ixfr(self, zones: Sequence[str]) -> None:
        """Have PowerDNS ask for these by IXFR."""
        database = sqlite3.connect(self.folder / "pdns.sqlite3")
        with contextlib.closing(database), database:
            for zone in zones:
                database.execute(
                    "INSERT INTO domainmetadata (domain_id, kind, content)"
                    " SELECT id, 'IXFR', '1' FROM domains WHERE name = ?",
                    (zone,),
                )

    def took(self) -> Counter[str]:
        """What it transferred, by its own log."""
        log = self.folder / f"{self.name}.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        patterns = _LOGGED[self.release.software]
        return Counter(
            {what: len(re.findall(one, text, re.MULTILINE)) for what, one in patterns.items()}
        )
