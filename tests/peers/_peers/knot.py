"""Knot DNS."""

from __future__ import annotations

from tests.peers._peers.server import Server

KNOT = Server(
    "knot",
    "knotd",
    ["-c"],
    head="""\
server:
    rundir: {folder}
    listen: [{address}@{port}, ::1@{port}]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    udp-max-payload: 1232
database:
    storage: {folder}
log:
  - target: stderr
    any: info
key:
  - id: {tsig}
    algorithm: hmac-sha256
    secret: {secret}
template:
  - id: default
    storage: {folder}
""",
    primary="""\
remote:
  - id: lzc
    address: {primary}@{primary_port}
    key: {tsig}
acl:
  - id: signed
    address: {primary}
    key: {tsig}
    action: [notify, transfer]
  - id: unsigned
    address: {primary}
    action: [notify, transfer]
""",
    transferred="""\
zone:
  - domain: {zone}
    master: lzc
    acl: [signed, unsigned]
""",
    loaded="""\
zone:
  - domain: {zone}
    file: {file}
    zonefile-sync: -1
    journal-content: none
""",
)
