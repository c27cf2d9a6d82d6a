"""PowerDNS and lzc answer the same client alike.

A real server gets a zone of LUA records; each question goes to it and to the engine. What is
deterministic must be equal; what is random must draw from the same set.
"""

from __future__ import annotations

import contextlib
import http.server
import ipaddress
import random
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rcode
import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lzc.health_check import Check, HealthView
from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import EngineSettings, LuaFailure, QueryContext
from lzc.lua.engine.geo import Geo
from lzc.lua.plan import Planner
from lzc.powerdns_versions import version_of
from lzc.wire import name as wire_name
from tests.patience import PATIENCE
from tests.peers._peers.process import free_port, running, wait_for_zone, wait_until
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.lua_object_questions import OBJECTS
from tests.peers.lua_questions import BY_CLIENT, CONSTANT, INCLUDED, NAMED, RANDOM

pytestmark = pytest.mark.usefixtures("nowhere_to_go")

ZONE = "lua.test."
CLIENT = "127.0.0.1"

NETWORKS = [
    ("192.0.2.0/24", 64496, "Example North"),
    ("198.51.100.0/25", 64497, "Example West"),
    ("203.0.113.128/25", 64498, None),
    ("2001:db8::/34", 64496, "Example North"),
    ("10.9.0.0/16", 64499, "Example Nowhere"),
]
"""Networks, their AS numbers and the organisations that hold them."""

PLACES = [
    ("192.0.2.0/25", "EU", "NL", "NH", 52.3676, 4.9041),
    ("192.0.2.128/25", "NA", "US", "CA", 37.3861, -122.0839),
    ("198.51.100.0/24", "NA", "US", "NY", 40.7128, -74.0060),
    ("203.0.113.0/25", "OC", "NZ", "AUK", -36.8485, 174.7633),
    ("203.0.113.128/25", "OC", "FJ", None, -18.1416, -178.4419),
    ("10.1.0.0/16", "EU", None, None, None, None),
    ("10.2.0.0/16", None, None, None, -1.5, 2.25),
    ("10.3.0.0/16", "AS", "JP", "13", 35.6895, 139.6917),
    ("2001:db8::/33", "EU", "DE", "BE", 52.52, 13.405),
    ("2001:db8:8000::/33", "SA", "BR", "SP", -23.5505, -46.6333),
    ("10.4.0.0/16", "EU", "NL", None, 51.999999999, -0.0166666664),
    ("10.5.0.0/16", None, None, None, 0.0000014, -0.0000004),
    ("10.6.0.0/16", "OC", "AU", "NSW", -33.868819712, 151.209295512),
]
"""Network, continent, country, region, latitude, longitude; at the end too many decimals."""


def write_geo_database(path: Path) -> None:
    writer = MMDBWriter(6, "GeoLite2-City", languages=["en"], ipv4_compatible=True)
    for network, continent, country, region, latitude, longitude in PLACES:
        record: dict[str, Any] = {}
        if continent:
            record["continent"] = {"code": continent, "names": {"en": continent}}
        if country:
            record["country"] = {"iso_code": country, "names": {"en": country}}
        if region:
            record["subdivisions"] = [{"iso_code": region, "names": {"en": region}}]
            record["city"] = {"names": {"en": f"City of {region}"}}
        if latitude is not None:
            record["location"] = {
                "latitude": latitude,
                "longitude": longitude,
                "accuracy_radius": 10,
            }
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))


def write_network_database(path: Path) -> None:
    writer = MMDBWriter(6, "GeoLite2-ASN", languages=["en"], ipv4_compatible=True)
    for network, number, organisation in NETWORKS:
        record: dict[str, Any] = {"autonomous_system_number": number}
        if organisation:
            record["autonomous_system_organization"] = organisation
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))


RECORDS = {
    f"n{index}": code for index, code in enumerate([*BY_CLIENT, *CONSTANT, *OBJECTS, *RANDOM])
}


def presentation(code: str) -> str:
    pieces = [code[i : i + 250] for i in range(0, len(code), 250)]
    return '"' + "".join(piece.replace("\\", "\\\\").replace('"', '\\"') for piece in pieces) + '"'


HEAD = [f"$ORIGIN {ZONE}", "@ 0 IN SOA a. b. 1 2 3 4 5", "@ 0 IN NS a."]


def zone_text() -> str:
    lines = [*HEAD]
    lines += [f"{label} 0 IN LUA TXT {presentation(code)}" for label, code in RECORDS.items()]
    lines += [f"{label} 0 IN LUA LUA {presentation(code)}" for label, code in INCLUDED.items()]
    lines += [
        f"*{label and '.' + label} 0 IN LUA TXT {presentation(code)}"
        for label, (code, _) in NAMED.items()
    ]
    return "\n".join(lines) + "\n"


class AllDown:
    """Health as PowerDNS has it when nothing was ever checked."""

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        return None

    def weight(self, check: Check) -> int:
        return 1

    def generation(self) -> int:
        return 0


DATABASES = ("geo.mmdb", "networks.mmdb")

CONFIG = """\
module-dir={modules}
launch=bind,geoip
geoip-zones-file={folder}/geoip.yaml
bind-config={folder}/named.conf
geoip-database-files=mmdb:{folder}/geo.mmdb mmdb:{folder}/networks.mmdb
enable-lua-records=yes
lua-records-exec-limit=100000
edns-subnet-processing=yes
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
disable-syslog=yes
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
security-poll-suffix=
lua-health-checks-interval={interval}
loglevel=3
"""


class Both:
    """The real server and the engine, asked the same."""

    def __init__(self, port: int, folder: Path, health: HealthView, release: Release) -> None:
        self.port = port
        self.version = version_of(release.version)
        readers = [maxminddb.open_database(folder / name) for name in DATABASES]
        geo = Geo(readers)
        settings = EngineSettings(exec_limit=100_000, powerdns=self.version)
        self.engine = Engine(settings, geo, health, 7)
        self.planner = Planner(geo, health, random.Random(7).random)
        self.apex = wire_name.from_text(ZONE)

    def powerdns(self, name: str, subnet: str | None) -> list[bytes] | None:
        """The strings it answers, sorted; None for SERVFAIL."""
        options: list[dns.edns.Option] = []
        if subnet is not None:
            address, _, prefix = subnet.partition("/")
            options.append(dns.edns.ECSOption(address, int(prefix)))
        query = dns.message.make_query(name, "TXT", use_edns=0, payload=1232, options=options)
        reply = dns.query.udp(query, CLIENT, port=self.port, timeout=PATIENCE)
        if reply.rcode() == dns.rcode.SERVFAIL:
            return None
        assert reply.rcode() == dns.rcode.NOERROR, reply
        return sorted(b"".join(rdata.strings) for rrset in reply.answer for rdata in rrset)

    def lzc(self, name: str, code: str, subnet: str | None) -> list[bytes] | None:
        """What the engine gives, read as TXT between quotes; None where it fails."""
        network = ipaddress.ip_network(subnet) if subnet is not None else None
        query = QueryContext(
            wire_name.from_text(name),
            self.apex,
            socket.inet_aton(CLIENT),
            (network.network_address.packed, network.prefixlen) if network else None,
            edns_size=1232,
            flags=0x0100,
            encloser=encloser(name, code),
        )
        try:
            found = self.engine.evaluate(joined(code), query, self.include)
        except LuaFailure:
            return None
        return sorted(unescape(content) for content in found)

    def include(self, name: bytes) -> bytes | None:
        relative = wire_name.to_text(name).removesuffix("." + ZONE)
        code = INCLUDED.get(relative)
        return None if code is None else joined(code)


def encloser(name: str, code: str) -> int:
    """How many labels the owner of the record with this code has, an asterisk not counted."""
    wildcards = [label for label, (known, _) in NAMED.items() if known == code]
    owner = f"{wildcards[0]}.{ZONE}" if wildcards else name
    return len(wire_name.labels_of(wire_name.from_text(owner.removeprefix("."))))


def joined(code: str) -> bytes:
    return code.encode() + b" "


def unescape(content: bytes) -> bytes:
    """Between double quotes a content is zone-file syntax."""
    out = bytearray()
    position = 0
    while position < len(content):
        octet = content[position]
        if octet != 0x5C:
            out.append(octet)
            position += 1
        elif content[position + 1 : position + 4].isdigit():
            out.append(int(content[position + 1 : position + 4]))
            position += 4
        else:
            out += content[position + 1 : position + 2]
            position += 2
    return bytes(out)


@contextlib.contextmanager
def serving(
    folder: Path, zone: str, health: HealthView, interval: int, release: Release
) -> Iterator[Both]:
    """A PowerDNS with a zone, that runs its health checks every ``interval`` seconds."""
    release.require()
    write_geo_database(folder / DATABASES[0])
    write_network_database(folder / DATABASES[1])
    (folder / "lua.zone").write_text(zone)
    (folder / "named.conf").write_text(
        f'zone "{ZONE}" {{ type master; file "{folder}/lua.zone"; }};\n'
    )
    port = free_port()
    write_config(folder, port, interval, release)
    arguments = [f"--config-dir={folder}", "--guardian=no", "--daemon=no"]
    with running([*release.command("pdns_server"), *arguments], folder, "pdns") as process:
        wait_for_zone(process, port, ZONE)
        yield Both(port, folder, health, release)


def write_config(folder: Path, port: int, interval: int, release: Release, more: str = "") -> None:
    """What a PowerDNS runs with, in its folder; ``more`` are further lines."""
    modules = release.origin.library() / "pdns"
    config = CONFIG.format(folder=folder, port=port, interval=interval, modules=modules)
    (folder / "pdns.conf").write_text(config + more)
    (folder / "geoip.yaml").write_text("domains: []\n")


@pytest.fixture(scope="module", params=POWERDNS, ids=str)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("powerdns")
    with serving(folder, zone_text(), AllDown(), 3600, request.param) as pair:
        yield pair


def clients(count: int) -> list[str | None]:
    """Subnets of known and unknown places and of many prefix lengths."""
    choose = random.Random(20)
    found: list[str | None] = [None]
    places = [ipaddress.ip_network(place[0]) for place in PLACES]
    while len(found) < count:
        place = choose.choice(places)
        if choose.random() < 0.2:
            place = ipaddress.ip_network(choose.choice(["0.0.0.0/0", "::/0"]))
        offset = choose.getrandbits(place.max_prefixlen - place.prefixlen or 1)
        prefix = choose.randint(place.max_prefixlen // 4, place.max_prefixlen)
        address = place.network_address + offset
        found.append(str(ipaddress.ip_network(f"{address}/{prefix}", strict=False)))
    return found


def differences(both: Both, asked: list[tuple[str, str, str | None]]) -> list[str]:
    found = []
    for name, code, subnet in asked:
        expected, actual = both.powerdns(name, subnet), both.lzc(name, code, subnet)
        if expected != actual:
            found.append(f"{code} for {name} from {subnet}: PowerDNS {expected}, lzc {actual}")
    return found


def records_of(codes: list[str]) -> list[tuple[str, str]]:
    return [(f"{label}.{ZONE}", code) for label, code in RECORDS.items() if code in codes]


def test_answers_that_depend_on_the_client_are_equal(both: Both) -> None:
    subnets = clients(60)
    asked = [(name, code, subnet) for name, code in records_of(BY_CLIENT) for subnet in subnets]
    found = differences(both, asked)
    assert not found, "\n".join(found)


def test_answers_that_depend_on_nothing_are_equal(both: Both) -> None:
    found = differences(
        both, [(name, code, None) for name, code in records_of([*CONSTANT, *OBJECTS])]
    )
    assert not found, "\n".join(found)


def test_answers_that_depend_on_the_name_are_equal(both: Both) -> None:
    asked: list[tuple[str, str, str | None]] = [
        (f"{label}.{wildcard}.{ZONE}" if wildcard else f"{label}.{ZONE}", code, None)
        for wildcard, (code, labels) in NAMED.items()
        for label in labels
    ]
    found = differences(both, asked)
    assert not found, "\n".join(found)


def test_random_answers_draw_from_the_same_set(both: Both) -> None:
    for name, code in records_of(RANDOM):
        expected = {tuple(both.powerdns(name, "10.2.0.1/32") or ()) for _ in range(60)}
        actual = {tuple(both.lzc(name, code, "10.2.0.1/32") or ()) for _ in range(60)}
        assert actual == expected, code


UP = ("127.0.0.2", "127.0.0.4", "127.0.0.5")
POOL = "{'127.0.0.1','127.0.0.2','127.0.0.3','127.0.0.4','127.0.0.5','127.0.0.6'}"
SETS = "{{'127.0.0.1','127.0.0.3'},{'127.0.0.5','127.0.0.4','127.0.0.6','127.0.0.2'}}"
DOWN_SETS = "{{'127.0.0.1','127.0.0.3'},{'127.0.0.6'}}"


class UpAtPort:
    """The addresses of `UP` are up, but not for a page that does not hold the string wanted."""

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        return check.address in UP and check.stringmatch in ("", "hello")

    def weight(self, check: Check) -> int:
        return 1

    def generation(self) -> int:
        return 0


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"say hello")

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(socketserver.ThreadingTCPServer):
    # Not that of http.server: it asks the system's resolver for the name of its own address.
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def web_servers(port: int) -> Iterator[None]:
    servers = [Server((address, port), Page) for address in UP]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_candidates_that_are_up_are_chosen_from_alike(tmp_path: Path, release: Release) -> None:
    port = free_port()
    url = f"http://www.example.org:{port}/"
    codes = [
        f"ifportup({port}, {POOL}, {{selector='all'}})",
        f"ifportup({port}, {POOL}, {{selector='hashed'}})",
        f"ifurlup('{url}', {POOL}, {{selector='hashed'}})",
        f"ifurlup('{url}', {SETS}, {{selector='all'}})",
        f"ifurlup('{url}', {SETS}, {{selector='hashed'}})",
        f"ifurlup('{url}', {POOL}, {{selector='all', stringmatch='hello'}})",
        f"ifurlup('{url}', {POOL}, {{selector='all', backupSelector='all', stringmatch='no'}})",
        f"ifurlup('{url}', {SETS}, {{backupSelector='hashed', stringmatch='no'}})",
        f"ifurlup('{url}', {DOWN_SETS}, {{backupSelector='all'}})",
        f"ifurlup('{url}', {DOWN_SETS}, {{backupSelector='hashed'}})",
    ]
    records = [(f"h{index}", code) for index, code in enumerate(codes)]
    lines = [f"{label} 0 IN LUA TXT {presentation(code)}" for label, code in records]
    zone = "\n".join([*HEAD, *lines]) + "\n"
    with web_servers(port), serving(tmp_path, zone, UpAtPort(), 1, release) as both:
        asked = [
            (f"{label}.{ZONE}", code, subnet) for label, code in records for subnet in clients(8)
        ]
        # PowerDNS checks from the first question on; until then all is down.
        wait_until(lambda: not differences(both, asked), "\n".join(differences(both, asked)), 15)
