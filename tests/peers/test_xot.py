"""BIND, NSD and Knot DNS take zones over TLS (RFC 9103) and nothing of them in the clear: with
TSIG, with a certificate of their own, with both; what is wrong with a certificate is told on our
side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.peers._peers.asking import ask
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import LOOPBACK, Process, free_port, serial_at, wait_until
from tests.peers._peers.relay import Relay
from tests.peers._peers.releases import BIND, KNOT, NSD, Release
from tests.unit.certificates import NAME, Pair, make
from tests.unit.live_server import TSIG_NAME, TSIG_SECRET, LiveServer, Project
from tests.unit.serve.test_tls import tls_port

MARK: Final = "this-is-read-by-nobody"
ZONES: Final = ("keyed", "shown", "both", "named")
"""How the secondary says who it is: TSIG, the key of its certificate, both, or its name."""
REFUSED: Final = ("stranger",)
"""Of a zone that a certificate with another key is wanted for."""
WRONG: Final = ("wrongname", "wrongca")
"""What the secondary looks for in our certificate, and does not find."""

HEADS: Final = {
    "bind": """
tls ours {{ remote-hostname "{name}"; ca-file "{ca}"; }};
tls shown {{ remote-hostname "{name}"; ca-file "{ca}"; cert-file "{cert}"; key-file "{key}"; }};
tls wrongname {{ remote-hostname "wrong.example"; ca-file "{ca}"; }};
tls wrongca {{ remote-hostname "{name}"; ca-file "{cert}"; }};
""",
    "nsd": """
tls-auth:
    name: "ours"
    auth-domain-name: "{name}"
tls-auth:
    name: "shown"
    auth-domain-name: "{name}"
    client-cert: "{cert}"
    client-key: "{key}"
tls-auth:
    name: "wrongname"
    auth-domain-name: "wrong.example"
""",
    "knot": """
remote:
  - id: ours
    address: {primary}@{port}
    key: {tsig}
    tls: on
    cert-key: {pin}
  - id: shown
    address: {primary}@{port}
    tls: on
    cert-key: {pin}
  - id: wrongca
    address: {primary}@{port}
    key: {tsig}
    tls: on
    cert-key: {other}
acl:
  - id: all
    address: {primary}
    action: notify
  - id: signed
    address: {primary}
    key: {tsig}
    action: notify
""",
}
ZONE_OF: Final = {
    "bind": """
zone "{zone}" {{
    type secondary;
    primaries {{ {primary} port {port} {with_key} tls {tls}; }};
    file "{zone}.db";
    masterfile-format text;
}};
""",
    "nsd": """
zone:
    name: "{zone}"
    zonefile: "{zone}.db"
    request-xfr: {primary}@{port} {tsig_or_none} {tls}
    allow-notify: {primary} {tsig}
    allow-notify: {primary} NOKEY
    provide-xfr: {primary} NOKEY
""",
    "knot": """
  - domain: {zone}
    master: {tls}
    acl: [signed, all]
""",
}


@dataclass(frozen=True)
class Peers:
    """lzc, a secondary that knows the ``relay`` before its TLS alone, and what certificates there
    are."""

    release: Release
    server: LiveServer
    project: Project
    relay: Relay
    port: int
    folder: Path
    ca: Pair
    pair: Pair
    process: Process


def text(serial: int, mark: str = MARK) -> str:
    return f'www A 192.0.2.{serial}\nmark TXT "{mark}"\n'


@contextmanager
def running(release: Release, folder: Path, *, days: float = 60) -> Iterator[Peers]:
    """All of it, while the block runs; our certificate lasts for ``days``."""
    ca, client_ca = make("our CA", ca=True), make("the CA of secondaries", ca=True)
    pair, own = make(issuer=ca, days=days, since=70), make("ns2.example", issuer=client_ca)
    ca.write(folder, "ca")
    client_ca.write(folder, "clients")
    pair.write(folder, "tls")
    own.write(folder, "own")
    port = free_port()
    sections = {
        "keyed": f'tsig = "{TSIG_NAME}"\nrequire-tls = true',
        "shown": f'tls-pins = ["{own.pin}"]',
        "both": f'tsig = "{TSIG_NAME}"\ntls-pins = ["{own.pin}"]',
        "named": 'tls-name = "ns2.example"',
        "stranger": f'tls-pins = ["{make().pin}"]',
    }
    toml = (
        '[serve]\ntls-listen = ["127.0.0.1:0"]\ntls-certificate-file = "tls.pem"\n'
        'tls-key-file = "tls.key"\ntls-client-ca-file = "clients.pem"\n'
    )
    for kind, section in sections.items():
        zones = [kind, *WRONG] if kind == "keyed" else [kind]
        toml += f'[[secondary]]\nname = "{kind}"\naddress = "127.0.0.1:{port}"\n{section}\n'
        toml += f"zones = {[f'{zone}.example' for zone in zones]}\n"
    project = Project(folder, toml)
    everything = (*ZONES, *REFUSED, *WRONG)
    project.build({f"{zone}.example.": text(1) for zone in everything})
    with ExitStack() as stack:
        server = stack.enter_context(LiveServer(project))
        relay = stack.enter_context(Relay(tls_port(server), keep=True))
        wanted = ZONES if days > 0 else ()
        process = stack.enter_context(
            secondary(release, folder, port, relay.port, pair, [f"{one}.example" for one in wanted])
        )
        yield Peers(release, server, project, relay, port, folder, ca, pair, process)


@contextmanager
def secondary(
    release: Release, folder: Path, port: int, primary_port: int, pair: Pair, wanted: Sequence[str]
) -> Iterator[Process]:
    kind = KINDS[release.software]
    names: dict[str, Any] = {
        "name": NAME,
        "ca": folder / "ca.pem",
        "cert": folder / "own.pem",
        "key": folder / "own.key",
        "primary": LOOPBACK,
        "port": primary_port,
        "tsig": TSIG_NAME,
        "pin": pair.pin,
        "other": make().pin,
    }
    head = kind.head.replace("{tsig}", TSIG_NAME).replace("{secret}", TSIG_SECRET)
    if release.software == "nsd":
        head = head.replace("server:", f'server:\n    tls-cert-bundle: "{folder / "ca.pem"}"', 1)
    if release.software == "knot":
        files = f"    cert-file: {folder / 'own.pem'}\n    key-file: {folder / 'own.key'}"
        head = head.replace("server:", f"server:\n{files}", 1)
    zones = "zone:\n" if release.software == "knot" else ""
    for zone in (*ZONES, *REFUSED, *WRONG):
        signed = zone in ("keyed", "both", *WRONG)
        tls = "ours" if zone == "keyed" else zone if zone in WRONG else "shown"
        if release.software == "knot":
            # It shows its one certificate to everybody, and looks at pins alone.
            tls = "wrongca" if zone in WRONG else "ours" if signed else "shown"
        if release.software == "nsd" and zone == "wrongca":
            continue  # it has one bundle for all
        zones += ZONE_OF[release.software].format(
            **{**names, "zone": f"{zone}.example", "tls": tls},
            with_key=f'key "{TSIG_NAME}"' if signed else "",
            tsig_or_none=TSIG_NAME if signed else "NOKEY",
        )
    made = HEADS[release.software].format(**names) + zones
    server = replace(
        kind, head=head, primary=made.replace("{", "{{").replace("}", "}}"), transferred=""
    )
    home = folder / release.software
    with server.secondary(home, port, primary_port, list(wanted), release) as process:
        yield process


@pytest.fixture(scope="module", params=(*BIND, *NSD, *KNOT[1:]), ids=str)
def peers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peers]:
    release: Release = request.param
    release.require()
    with running(release, tmp_path_factory.mktemp("xot")) as found:
        yield found


def marked(port: int, zone: str) -> list[str]:
    answer = ask(port, f"mark.{zone}.example", "TXT").answer
    return [rdata.to_text() for rrset in answer for rdata in rrset]


def has(port: int, zone: str, serial: int) -> bool:
    return serial_at(port, f"{zone}.example") == serial


def transfers_of(server: LiveServer, name: str) -> dict[str, Any] | None:
    """What our status says of the transfers of a secondary, once there are some."""
    states = server.control("status")["secondaries"]
    told: dict[str, Any] = next(one["transfers"] for one in states if one["name"] == name)
    return told if told["done"] else None


@pytest.mark.parametrize("zone", ZONES)
def test_it_has_the_zone_by_tls_alone(peers: Peers, zone: str) -> None:
    assert marked(peers.port, zone) == [f'"{MARK}"']
    # A worker tells with its next heartbeat.
    told = peers.server.wait_for(partial(transfers_of, peers.server, zone))
    assert "clear" not in told["refused"]
    assert peers.server.logged(f"transfer: {zone}.example. serial 1 to 127.0.0.1 over TLS")


def test_nothing_of_it_is_read_on_the_way(peers: Peers) -> None:
    assert peers.relay.heard
    for heard in peers.relay.heard:
        assert heard[:2] == b"\x16\x03"  # a handshake of TLS
        assert MARK.encode() not in heard


def test_a_change_comes_after_notify_over_tls(peers: Peers) -> None:
    zones = (*ZONES, *REFUSED, *WRONG)
    peers.project.build({f"{one}.example.": text(2, "changed") for one in zones}, serial=2)
    for zone in ZONES:
        wait_until(partial(has, peers.port, zone, 2), f"{zone} comes")
        assert marked(peers.port, zone) == ['"changed"']
    for heard in peers.relay.heard:
        assert heard[:2] == b"\x16\x03"


def test_a_renewed_certificate_is_shown_to_the_next_connection(peers: Peers) -> None:
    # With the same key, for who has its pin.
    make(issuer=peers.ca, key=peers.pair.key, days=80).write(peers.folder, "tls")
    peers.server.wait_for(lambda: peers.server.logged("tls.pem: read anew"))
    zones = (*ZONES, *REFUSED, *WRONG)
    peers.project.build({f"{one}.example.": text(3, "renewed") for one in zones}, serial=3)
    for zone in ZONES:
        wait_until(partial(has, peers.port, zone, 3), f"{zone} comes")


def test_who_shows_another_key_gets_nothing_and_we_say_which(peers: Peers) -> None:
    server = peers.server
    server.wait_for(
        lambda: server.logged("secondary stranger (127.0.0.1): no TSIG key; the key of")
    )
    assert serial_at(peers.port, "stranger.example") is None


def test_who_looks_for_another_name_or_ca_gets_nothing_and_we_say_so(peers: Peers) -> None:
    server = peers.server
    if peers.release.software == "knot":
        # It looks at the pin once the handshake is done, and says why itself.
        wait_until(
            lambda: "[wrongca.example.] refresh, failed" in peers.process.log_text(), "Knot says so"
        )
    else:
        server.wait_for(lambda: server.logged("WARNING TLS with 127.0.0.1 failed: it "))
        assert server.logged("our certificate")
    for zone in WRONG:
        assert serial_at(peers.port, f"{zone}.example") is None


@pytest.mark.parametrize("release", (*BIND, *NSD), ids=str)
def test_our_certificate_is_over_and_who_looks_at_it_takes_nothing(
    release: Release, tmp_path: Path
) -> None:
    release.require()
    with running(release, tmp_path, days=-5) as peers:
        server = peers.server
        server.wait_for(lambda: server.logged("CERTIFICATE EXPIRED"))
        server.wait_for(lambda: server.logged("TLS with 127.0.0.1 failed: "))
        assert serial_at(peers.port, "keyed.example") is None
