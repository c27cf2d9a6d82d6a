"""NSD."""

from __future__ import annotations

from tests.peers._peers.server import Server

NSD = Server(
    "nsd",
    "nsd",
    ["-d", "-c"],
    head="""\
server:
    ip-address: {address}@{port}
    ip-address: ::1@{port}
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    pidfile: "{folder}/nsd.pid"
    zonelistfile: "{folder}/zone.list"
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    database: ""
    server-count: 1
    minimal-responses: yes
    ipv4-edns-size: 1232
    rrl-ratelimit: 0
    verbosity: 2
remote-control:
    control-enable: no
key:
    name: "{tsig}"
    algorithm: hmac-sha256
    secret: "{secret}"
""",
    transferred="""\
zone:
    name: "{zone}"
    zonefile: "{zone}.db"
    request-xfr: {primary}@{primary_port} {tsig}
    allow-notify: {primary} {tsig}
    allow-notify: {primary} NOKEY
    provide-xfr: {address} NOKEY
""",
    loaded="""\
zone:
    name: "{zone}"
    zonefile: "{file}"
""",
)
