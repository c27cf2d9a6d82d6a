"""BIND 9."""

from __future__ import annotations

from tests.peers._peers.server import Server

BIND = Server(
    "bind",
    "named",
    ["-g", "-n", "1", "-c"],
    head="""\
options {{
    directory "{folder}";
    pid-file "{folder}/named.pid";
    session-keyfile "{folder}/session.key";
    managed-keys-directory "{folder}";
    listen-on port {port} {{ {address}; }};
    listen-on-v6 port {port} {{ ::1; }};
    recursion no;
    minimal-responses yes;
    dnssec-validation no;
    allow-transfer {{ any; }};
    notify no;
    min-refresh-time 3600;
    check-names primary ignore;
    check-integrity no;
    max-udp-size 1232;
    rrset-order {{ order none; }};
    empty-zones-enable no;
}};
controls {{ }};
key "{tsig}" {{ algorithm hmac-sha256; secret "{secret}"; }};
""",
    transferred="""\
zone "{zone}" {{
    type secondary;
    primaries {{ {primary} port {primary_port} key "{tsig}"; }};
    file "{zone}.db";
    masterfile-format text;
}};
""",
    loaded='zone "{zone}" {{ type primary; file "{file}"; }};\n',
)
