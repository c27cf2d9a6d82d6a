"""The tables of ``lzc.toml``, and the types of values in them."""

from __future__ import annotations

import base64
import ipaddress
import re
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

from lzc.config.forms import Choice, View, choose
from lzc.config.policies import Algorithm, DenialSetting, Digests, Salt
from lzc.config.table import Field, Table, read_by
from lzc.wire import name as wire_name
from lzc.wire.edns import MIN_UDP_SIZE, UDP_SIZE
from lzc.wire.tsig_algorithms import ALGORITHMS

Serial = Literal["date", "increment", "unixtime", "keep"]
"""How a zone's serial is chosen."""

MOST_WORKERS: Final = 256
"""Worker processes of one server."""

_SOFTWARE = re.compile(r"powerdns-\d+\.\d+|(?:bind|nsd|knot)(?:-\d+\.\d+)?|generic")


def parse_endpoint(text: str) -> tuple[str, int]:
    """``"127.0.0.1:5300"`` or ``"[::1]:5300"`` as address and port. Raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("put an IPv6 address in brackets: [::1]:53")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 <= int(port) <= 65535:
        raise ValueError("expected ADDRESS:PORT, such as 192.0.2.1:53 or [::1]:53")
    return str(ipaddress.ip_address(host)), int(port)


def lists(patterns: list[str], zone: str) -> bool:
    """Whether patterns of a configuration have a zone among them, with or without final dot, in any
    case."""
    bare = zone.rstrip(".").lower()
    return any(fnmatchcase(bare, one.rstrip(".").lower()) for one in patterns)


def _software(text: str) -> str:
    if not _SOFTWARE.fullmatch(text):
        raise ValueError(
            "expected powerdns-X.Y, bind, nsd or knot, with -X.Y behind it or not, or generic"
        )
    return text


def _pin(text: str) -> str:
    try:
        octets = base64.b64decode(text, validate=True)
    except ValueError:
        octets = b""
    if len(octets) != 32:
        raise ValueError("expected a SHA-256 in base64, which is 44 characters")
    return text


def _group(text: str) -> str:
    if not 1 <= len(text.encode("utf-8", "surrogatepass")) <= 255 or not text.isprintable():
        raise ValueError("expected 1 to 255 octets of text that prints")
    return text


def _log_target(text: str) -> str:
    if text not in ("stderr", "journald") and "/" not in text:
        raise ValueError("must be stderr, journald, or the path of a file with a / in it")
    return text


LogTarget = Annotated[str, _log_target]
Endpoint = Annotated[str, read_by(parse_endpoint)]
Address = Annotated[str, lambda text: str(ipaddress.ip_address(text))]
Network = Annotated[str, read_by(ipaddress.ip_network)]
DomainName = Annotated[str, read_by(lambda text: wire_name.from_text(text, wire_name.ROOT))]
Software = Annotated[str, _software]
Pin = Annotated[str, _pin]
Group = Annotated[str, _group]


PowerDns = Literal["4.7", "4.9", "5.0", "5.1"]
"""A version whose answers are known: `lzc.powerdns_versions.KNOWN`."""


PowerDnsSetting = Literal[
    "enable-lua-record-updates", "edns-subnet-processing", "dname-processing", "direct-dnskey"
]
"""Settings that a zone may need: `lzc.compiler.checks.secondary_settings.SETTINGS`."""


class ZoneLimitsSection(Table):
    """``[build.zone-limits]``: what one zone may take."""

    records: int = Field(default=5_000_000, ge=1)
    generated: int = Field(default=1_000_000, ge=0)
    """Records made by ``$GENERATE``."""
    includes: int = Field(default=10_000, ge=0)
    """Files read by ``$INCLUDE`` and ``$FILE``, each as often as it is read."""
    repeated: int = Field(default=16 * 2**20, ge=0)
    """Octets of files that ``$INCLUDE`` reads not for the first time."""
    octets: int = Field(default=512 * 2**20, ge=1)
    """Octets read from files and made by ``$GENERATE``; an octet of Lua code that it makes counts
    as 64."""


class TotalLimitsSection(Table):
    """``[build.total-limits]``: what all zones of a build may take together."""

    records: int = Field(default=20_000_000, ge=1)
    generated: int = Field(default=5_000_000, ge=0)
    includes: int = Field(default=1_000_000, ge=0)
    repeated: int = Field(default=256 * 2**20, ge=0)
    octets: int = Field(default=4 * 2**30, ge=1)


class BuildSection(Table):
    """``[build]``: what to compile and where to put it."""

    sources: list[str] = Field(default=[])
    include_from: list[str] = Field(default=["lua"])
    """Folders beside those of the sources that ``$INCLUDE`` and ``$FILE`` may read."""
    output: str = "build"
    serial: Serial = "date"
    dialect: Literal["lzc", "powerdns"] = "lzc"
    """How files are read where PowerDNS reads them otherwise than RFC 1035 says."""
    keep_last_good: bool = False
    """A zone that fails stays as it is live, and the others go live."""
    ixfr_builds: int = Field(default=100, ge=0, le=1000)
    """Of so many builds that changed zones it is kept what they changed, for IXFR."""
    ixfr_octets: int = Field(default=64 * 2**20, ge=0)
    """So much of that is kept at most."""
    zone_limits: ZoneLimitsSection = ZoneLimitsSection()
    total_limits: TotalLimitsSection = TotalLimitsSection()


class ZoneSection(Table):
    """``[zone."example.org"]``: what is particular to a zone; ``None`` is the general value."""

    source: str | None = None
    dnssec: Literal[True, False, "presigned"] = False
    """Whether lzc signs the zone, or serves the signatures that its source has."""
    strip_dnssec: bool = False
    """Drop what another signer added to the source: signatures, denial of existence, its keys."""
    lua: bool | None = None
    powerdns: PowerDns | None = None
    serial: Serial | None = None
    denial: DenialSetting | None = None
    nsec3_iterations: int | None = Field(default=None, ge=0, le=65535)
    nsec3_salt: Salt | None = None
    nsec3_opt_out: bool | None = None
    policy: str | None = None
    publish_cds: Digests | None = None
    publish_cdnskey: bool | None = None
    catalog_group: Group | None = None
    """Its ``group`` in the catalogs that have it (RFC 9432 §4.4.2)."""


class LuaSection(Table):
    """``[lua]``: whether and how LUA records run."""

    enable: bool = False
    mode: Literal["isolated", "shared"] = "isolated"
    powerdns: PowerDns | None = None
    """Whose answers LUA records give; by default those of the zone's PowerDNS secondaries."""
    insert_whitespace: bool | None = None
    """Whether blanks stand between the strings of a record; by default as in that version."""
    exec_limit: int = Field(default=1000, ge=0)
    """VM instructions an execution may take; 0: no limit."""
    memory_limit: int = Field(default=64 * 2**20, ge=2**20)
    """Octets one Lua state may hold."""
    time_limit: float = Field(default=0.1, ge=0)
    """Seconds of CPU time an execution may take; 0: no limit."""
    health_check_interval: int = Field(default=5, ge=1)
    """Seconds between two runs of a check."""
    unlisted_health_checks: int = Field(default=2000, ge=0, le=32768)
    """Checks at most that no bundle lists, as a query decides what they look at; 0: none."""
    unlisted_health_checks_per_zone: int = Field(default=200, ge=0, le=32768)
    """How many of these one zone may have."""


class HealthSection(Table):
    """``[health]``: what health checks may reach."""

    allow: list[Network] = Field(default=[])
    """Networks that checks may reach, though link-local, or private and not written in a zone."""
    deny: list[Network] = Field(default=[])
    """Networks that no check reaches, whatever else is said."""
    computed: list[Literal["address", "port", "url", "options"]] = Field(default=["address"])
    """What of a check a query may decide; the rest has to stand in the zone's code."""


class DnssecSection(Table):
    """``[dnssec]``: keys, and what new ones look like."""

    keystore: str = "keys"
    keystore_passphrase_file: str | None = None
    """Private keys are sealed with the passphrase in it; ``credential:NAME``: one of systemd's."""
    keystore_key_file: str | None = None
    """Likewise with a key, 64 hexadecimal digits, which takes no time to be made of a passphrase.
    """
    pkcs11_module: str | None = None
    """The library by which private keys in tokens are reached."""
    pkcs11_pin_file: str | None = None
    """The PIN of the token is in it; ``credential:NAME``: one of systemd's."""
    algorithm: Algorithm = 13
    policy: str = "csk"
    """``csk``, ``ksk-zsk``, or the name of a policy that has a table."""
    publish_cds: Digests = ""
    """Digest types of the CDS records that ask the parent for DS records; none: no CDS."""
    publish_cdnskey: bool = False
    denial: DenialSetting = "nsec"
    """What proves that there is nothing: NSEC, NSEC3, NSEC3 made for each question, or one NSEC
    at the name asked for (RFC 9824)."""
    nsec3_iterations: int = Field(default=0, ge=0, le=65535)
    """Additional iterations of the hash (RFC 9276: 0)."""
    nsec3_salt: Salt = ""
    """Hexadecimal digits (RFC 9276: none)."""
    nsec3_opt_out: bool = False
    """Leave delegations that are not signed out of the chain."""


class ServeSection(Table):
    """``[serve]``: the runtime."""

    listen: list[Endpoint] = Field(default=["127.0.0.1:5300"])
    workers: int = Field(default=1, ge=1, le=MOST_WORKERS)
    edns_client_subnet: bool = True
    geoip: list[str] = Field(default=[])
    udp_payload_size: int = Field(default=UDP_SIZE, ge=MIN_UDP_SIZE, le=4096)
    """Octets of a UDP answer at most, and what our OPT advertises (RFC 9715)."""
    nsid: str = ""
    server_id: str = ""
    """Answer to CHAOS ``id.server`` (RFC 4892); empty: refused."""
    version: str = "lzc"
    """Answer to CHAOS ``version.bind``; empty: refused."""
    cookie_secret_file: str | None = None
    """32 hexadecimal digits, shared by an anycast group (RFC 9018 §5); without: random at start."""
    require_cookie: int = Field(default=0, ge=0, le=4096)
    """Octets of a UDP answer above which a server cookie is needed (RFC 7873); 0: never."""
    packet_cache: int = Field(default=200_000, ge=0)
    """Answers kept by each worker at most."""
    tcp_idle_timeout: float = Field(default=10.0, gt=0)
    """Seconds a TCP connection may sit without a query."""
    tcp_connections: int = Field(default=2048, ge=1)
    """TCP connections open at once, each worker, at most."""
    tcp_connections_per_client: int = Field(default=1024, ge=1)
    """How many of these may come from one IPv4 address or one IPv6 /64."""
    tcp_connections_per_network: int = Field(default=1536, ge=1)
    """How many of these may come from one IPv4 /24 or one IPv6 /56."""
    tsig_required: bool = True
    """False lets `allow-transfer` and secondaries without a key transfer zones unsigned."""
    allow_transfer: list[Network] = Field(default=["127.0.0.0/8", "::1/128"])
    """Networks from which a valid TSIG key may transfer, besides each secondary's own."""
    tls_listen: list[Endpoint] = Field(default=[])
    """Where DNS over TLS is served (RFC 7858), transfers too (RFC 9103); default: nowhere."""
    tls_certificate_file: str | None = None
    """The certificate in PEM, first of all, then those of the CAs that issued it."""
    tls_key_file: str | None = None
    """The key of the certificate, in PEM."""
    tls_client_ca_file: str | None = None
    """The CAs, in PEM, that vouch for certificates of secondaries with a ``tls-name``."""
    notify_source: list[Address] = Field(default=[])
    """Addresses that NOTIFY leaves from, at most one of each family; default: those of `listen`."""
    publish: bool = True
    """Whether this server makes the presigned and flattened forms of zones."""
    flatten_interval: int = Field(default=30, ge=1, le=86400)
    """Seconds between two serials of a flattened zone at least."""
    control_socket: str | None = None
    """UNIX socket of ``lzc ctl``; default: ``control.sock`` in the output folder."""
    health_grace: float = Field(default=2.0, ge=0, le=60)
    """Seconds that first answers wait at most for the first results of the bundle's checks."""
    http: Endpoint | None = None
    """Where metrics and the status page are served over HTTP; default: nowhere."""
    http_token_file: str | None = None
    """The token that metrics and the status page are given for; needed beyond loopback."""
    http_compat: Literal["powerdns"] | None = None
    """Metrics under the names of another server, too."""
    log: LogTarget = "stderr"
    """Where the log goes: ``stderr``, ``journald``, or a file, as a path with a ``/`` in it."""
    log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""
    query_log: float = Field(default=0.0, ge=0, le=1)
    """Share of the queries that have a line in the log each: 0 for none, 1 for all."""
    query_log_file: str | None = None
    """File for these lines; default: where ``log`` goes."""
    dnstap: str | None = None
    """UNIX socket at which a reader of dnstap waits for queries and answers."""
    dnstap_sample: float = Field(default=1.0, ge=0, le=1)
    """Share of the queries that dnstap gets, each with its answer."""
    dnstap_messages: Literal["both", "responses"] = "both"
    """Messages about queries and about answers, or one about both for a query with an answer."""


class TsigSection(Table):
    """``[tsig."name."]``: a shared secret of RFC 8945."""

    algorithm: Literal[tuple(ALGORITHMS)] = "hmac-sha256"  # type: ignore[valid-type]
    secret: str | None = None
    secret_file: str | None = None


class SecondarySection(Table):
    """``[[secondary]]``: a server that takes zones from us."""

    name: str
    address: Endpoint
    software: Software = "generic"
    tsig: DomainName | None = None
    zones: list[str] = Field(default=["*"])
    """Zone names, or shell patterns such as ``*.example.org``; ``*`` is every zone."""
    allow_from: list[Network] | None = None
    """Where its transfers come from; default: the host of ``address``."""
    require_tls: bool = False
    """It gets zones over TLS alone (RFC 9103); so does who has one of the next two."""
    tls_pins: list[Pin] = Field(default=[])
    """It shows a certificate over TLS with a key of these: SHA-256 of the public key, in base64."""
    tls_name: DomainName | None = None
    """It shows a certificate with this name over TLS, of a CA in ``tls-client-ca-file``."""
    form: Literal["auto", "live", "presigned", "flattened"] = "auto"
    """In which form it gets zones: as they are, signed, or with their LUA records evaluated."""
    flatten_client: Address | None = None
    """Whose answers the LUA records of a flattened zone give; default: the host of ``address``."""
    flatten_health: Literal["live", "all-up"] = "live"
    """By which health these are chosen: as checks find it, or as if all targets were up."""
    notify: bool = True
    exec_limit: int = Field(default=1000, ge=0)
    """Its ``lua-records-exec-limit``, if it is PowerDNS: VM instructions; 0: no limit."""
    settings: list[PowerDnsSetting] = Field(default=[])
    """What its ``pdns.conf`` has on, if it is PowerDNS: a build tells what else zones need."""
    autoprimary: list[DomainName] = Field(default=[])
    """If it is PowerDNS, it makes zones itself that have one of these names in their NS records,
    when it is notified of them."""

    @property
    def product(self) -> str:
        """Its software, without the version."""
        return self.software.partition("-")[0]

    @property
    def shows_certificate(self) -> bool:
        """Whether it has to show a certificate of its own."""
        return bool(self.tls_pins) or self.tls_name is not None

    def choice(self, *, lua: bool, signed: bool) -> Choice:
        """In which form it gets a zone; the arguments are those of `lzc.config.forms.choose`."""
        return choose(self.form, self.software, lua=lua, signed=signed)

    @property
    def view(self) -> View:
        """Whose answers flattened zones have for it."""
        client = self.flatten_client or parse_endpoint(self.address)[0]
        return View(str(ipaddress.ip_address(client)), self.flatten_health)

    def takes(self, zone: str) -> bool:
        """True when it lists the zone; names with or without final dot, in any case."""
        return lists(self.zones, zone)
