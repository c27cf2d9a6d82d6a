"""``lzc.toml`` as typed settings.

Every key has a default that is safe; unknown keys are errors, because a misspelt key that is
silently ignored is an outage that waits. Paths are relative to the file they stand in.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import shlex
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from lzc.config.faults import OWN, describe, locate
from lzc.config.table import AfterValidator, Field, Table, ValidationError
from lzc.faults import Fault, InputError, Place
from lzc.file_owner import stranger, take_over
from lzc.wire import name as wire_name
from lzc.wire.cookie import SECRET as COOKIE_SECRET
from lzc.wire.edns import MIN_UDP_SIZE, UDP_SIZE

TSIG_ALGORITHMS = (
    "hmac-md5",
    "hmac-sha1",
    "hmac-sha224",
    "hmac-sha256",
    "hmac-sha256-128",
    "hmac-sha384",
    "hmac-sha384-192",
    "hmac-sha512",
    "hmac-sha512-256",
)
"""The algorithms of RFC 8945 §6 that lzc signs and checks with (GSS-TSIG is not among them)."""

SOFTWARE = re.compile(r"powerdns-\d+\.\d+|bind|nsd|knot|generic")


def _endpoint(text: str) -> str:
    parse_endpoint(text)
    return text


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _domain_name(text: str) -> str:
    wire_name.from_text(text, wire_name.ROOT)
    return text


def _software(text: str) -> str:
    if not SOFTWARE.fullmatch(text):
        raise ValueError("expected powerdns-X.Y, bind, nsd, knot or generic")
    return text


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


Endpoint = Annotated[str, AfterValidator(_endpoint)]
Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
DomainName = Annotated[str, AfterValidator(_domain_name)]


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
    """Octets read from files and made by ``$GENERATE``; of Lua code that it makes, 64 for one."""


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
    serial: Literal["date", "increment", "unixtime", "keep"] = "date"
    zone_limits: ZoneLimitsSection = ZoneLimitsSection()
    total_limits: TotalLimitsSection = TotalLimitsSection()


class LuaSection(Table):
    """``[lua]``: whether and how LUA records run."""

    enable: bool = False
    mode: Literal["isolated", "shared"] = "isolated"
    insert_whitespace: bool = True
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
    """Of these, those at most that one zone has."""


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
    algorithm: Literal[8, 13, 14, 15] = 13
    policy: Literal["csk", "ksk-zsk"] = "csk"


class ZoneSection(Table):
    """``[zone."example.org"]``: what is particular to a zone; ``None`` is the general value."""

    source: str | None = None
    dnssec: bool = False
    strip_dnssec: bool = False
    """Drop what another signer added to the source: signatures, denial of existence, its keys."""
    lua: bool | None = None
    serial: Literal["date", "increment", "unixtime", "keep"] | None = None


class ServeSection(Table):
    """``[serve]``: the runtime."""

    listen: list[Endpoint] = Field(default=["127.0.0.1:5300"])
    workers: int = Field(default=1, ge=1, le=256)
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
    """Of these, those of one IPv4 address or one IPv6 /64."""
    tcp_connections_per_network: int = Field(default=1536, ge=1)
    """Of these, those of one IPv4 /24 or one IPv6 /56."""
    tsig_required: bool = True
    """False lets `allow-transfer` and secondaries without a key transfer zones unsigned."""
    allow_transfer: list[Network] = Field(default=["127.0.0.0/8", "::1/128"])
    """Networks from which a valid TSIG key may transfer, besides each secondary's own."""
    notify_source: list[Address] = Field(default=[])
    """Addresses that NOTIFY leaves from, one a family at most; default: of `listen`."""
    control_socket: str | None = None
    """UNIX socket of ``lzc ctl``; default: ``control.sock`` in the output folder."""
    health_grace: float = Field(default=2.0, ge=0, le=60)
    """Seconds that first answers wait at most for the first results of the bundle's checks."""


class TsigSection(Table):
    """``[tsig."name."]``: a shared secret of RFC 8945."""

    algorithm: Literal[TSIG_ALGORITHMS] = "hmac-sha256"  # type: ignore[valid-type]
    secret: str | None = None
    secret_file: str | None = None


class SecondarySection(Table):
    """``[[secondary]]``: a server that takes zones from us."""

    name: str
    address: Endpoint
    software: Annotated[str, AfterValidator(_software)] = "generic"
    tsig: DomainName | None = None
    zones: list[str] = Field(default=["*"])
    """Zone names, or shell patterns such as ``*.example.org``; ``*`` is every zone."""
    allow_from: list[Network] | None = None
    """Where its transfers come from; default: the host of ``address``."""
    notify: bool = True
    exec_limit: int = Field(default=1000, ge=0)
    """Its ``lua-records-exec-limit``, if it is PowerDNS: VM instructions; 0: no limit."""


class Config(Table):
    """A whole ``lzc.toml``, read from `file`. `folder` is where its relative paths start."""

    build: BuildSection = BuildSection()
    lua: LuaSection = LuaSection()
    health: HealthSection = HealthSection()
    dnssec: DnssecSection = DnssecSection()
    zone: dict[DomainName, ZoneSection] = Field(default={})
    serve: ServeSection = ServeSection()
    tsig: dict[DomainName, TsigSection] = Field(default={})
    secondary: list[SecondarySection] = Field(default=[])
    folder: Path = Path()
    file: Path = Path("lzc.toml")

    def path(self, relative: str | Path) -> Path:
        """A path of the file, made absolute."""
        return self.folder / relative

    @property
    def output(self) -> Path:
        """The folder of bundles, with ``current`` in it."""
        return self.path(self.build.output)

    @property
    def keystore(self) -> Path:
        """The folder of DNSSEC keys."""
        return self.path(self.dnssec.keystore)

    def secret_files(self) -> list[tuple[Path, str]]:
        """Every file that the settings name for the secret in it, and what it is in words."""
        found = [
            (self.path(section.secret_file), f"the secret of TSIG key {name}")
            for name, section in self.tsig.items()
            if section.secret_file is not None
        ]
        if self.serve.cookie_secret_file is not None:
            found.append((self.path(self.serve.cookie_secret_file), "the secret of DNS cookies"))
        return found

    @property
    def runs_lua(self) -> bool:
        """True when LUA records run in some zone."""
        return self.lua.enable or any(section.lua for section in self.zone.values())

    def tsig_secret(self, name: str) -> bytes:
        """The secret of a key, read from its file where it has one.

        Raises `InputError` when the file is missing, holds anything but base64, or is open to
        others (mode beyond 0600/0640).
        """
        section = self.tsig[name]
        if section.secret is not None:
            return base64.b64decode(section.secret)  # checked by `load`
        assert section.secret_file is not None  # checked by `load`
        path = self.path(section.secret_file)
        raw = read_secret(
            path,
            "tsig-secret",
            f"the secret of TSIG key {name}",
            why="whoever reads it can transfer and forge your zones",
            fix="create the file, or correct secret-file in lzc.toml",
        )
        secret = _from_base64(raw)
        if not secret:
            raise InputError([_no_base64(Place(str(path)), name)])
        return secret

    def cookie_secret(self) -> bytes | None:
        """The 16 octets for server cookies in the configured file; `None` where none is configured.
        Raises `InputError`."""
        name = self.serve.cookie_secret_file
        if name is None:
            return None
        path = self.path(name)
        file = shlex.quote(str(path))
        fix = f"openssl rand -hex {COOKIE_SECRET} > {file}; chmod 600 {file}"
        why = "whoever reads it can make cookies of any client, which then prove nothing (RFC 7873)"
        raw = read_secret(path, "cookie-secret", "the cookie secret", why=why, fix=fix)
        try:
            secret = bytes.fromhex(raw.decode())
        except ValueError:
            secret = b""
        if len(secret) != COOKIE_SECRET:
            problem = f"the cookie secret is not {2 * COOKIE_SECRET} hexadecimal digits"
            raise InputError([Fault(Place(str(path)), "cookie-secret", problem, fix=fix)])
        return secret


def read_secret(path: Path, rule: str, what: str, *, why: str, fix: str) -> bytes:
    """What a file holds that nobody else may read, without blanks around it.

    Raises `InputError` with ``rule`` when the file cannot be read, for which ``fix`` says what to
    do, is open to others (mode beyond 0600/0640), or belongs to a stranger, of which ``why`` says
    what comes.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read()
    except OSError as error:
        problem = f"{what} cannot be read: {error.strerror}"
        fault = Fault(Place(str(path)), f"{rule}-unreadable", problem, fix=fix)
        raise InputError([fault]) from error
    owner = stranger(status, path)
    if owner:
        problem = f"{what} belongs to another user ({owner})"
        fault = Fault(Place(str(path)), f"{rule}-owner", problem, why=why, fix=take_over(path))
        raise InputError([fault])
    if status.st_mode & (stat.S_IWGRP | stat.S_IRWXO):
        problem, fix = f"{what} is open to other users", f"chmod 600 {shlex.quote(str(path))}"
        fault = Fault(Place(str(path)), f"{rule}-exposed", problem, why=why, fix=fix)
        raise InputError([fault])
    return raw.strip()


def load(path: str | os.PathLike[str]) -> Config:
    """Read and check a configuration file.

    Raises `InputError` with every fault found; places name the line where the key stands.
    """
    text, data = read_toml(path, fix=_where_else(Path(path)))
    # These are ours, no keys of the file; under another name they are unknown, as they should be.
    own = {f"{key} " if key in OWN else key: value for key, value in data.items()}
    resolved = Path(path).resolve()
    try:
        config = Config.read({**own, "folder": resolved.parent, "file": resolved})
    except ValidationError as error:
        problems = [
            {
                **problem,
                "loc": tuple(p.rstrip() if isinstance(p, str) else p for p in problem["loc"]),
            }
            for problem in error.errors()
        ]
        faults = [describe(str(path), text, Config, problem) for problem in problems]
        raise InputError(sorted(faults, key=lambda fault: fault.place)) from error
    faults = list(_cross_check(config, str(path), text))
    if faults:
        raise InputError(faults)
    return config


def _where_else(path: Path) -> str:
    """What to do where there is no configuration: `lzc init` would replace none, and makes them
    under one name."""
    named = "name the configuration with -c"
    if path.name != "lzc.toml" or os.path.lexists(path):
        return f"{named}, or correct what is in the place of this one"
    folder = [] if path.parent == Path() else [str(path.parent)]
    return f"{named}, or make one with: {shlex.join(['lzc', 'init', *folder])}"


def read_toml(path: str | os.PathLike[str], *, fix: str) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and what it says. ``fix`` is what to do where it cannot be read.
    Raises `InputError`."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            [
                Fault(
                    Place(str(path)),
                    "config-unreadable",
                    f"cannot be read: {error.strerror}",
                    fix=fix,
                )
            ]
        ) from error
    text = _decode(raw, str(path))
    try:
        data = tomllib.loads(text)
    except RecursionError:
        fault = Fault(
            Place(str(path)),
            "config-syntax",
            "values are nested too deep",
            fix="see https://toml.io; no setting of lzc nests deeper than a table in a list",
        )
        raise InputError([fault]) from None
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\s*\(at line (\d+), column (\d+)\)", str(error))
        lines = text.splitlines() or [""]
        line, column = (int(where[1]), int(where[2])) if where else (len(lines), 1)
        what = str(error)[: where.start() if where else None].removesuffix(" (at end of document)")
        raise InputError(
            [
                Fault(
                    Place(str(path), line, column),
                    "config-syntax",
                    f"not valid TOML: {what[:1].lower()}{what[1:]}",
                    fix="see https://toml.io; text stands in double quotes, tables in [brackets]",
                )
            ]
        ) from error
    return text, data


def _from_base64(text: str | bytes) -> bytes:
    """What a secret says; empty for an empty one, which protects nothing, and for other text."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _no_base64(place: Place, name: str) -> Fault:
    return Fault(
        place,
        "tsig-secret",
        f"the secret of TSIG key {name} is empty, or not base64",
        fix="make one with: openssl rand -base64 32",
    )


def _decode(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line_start = raw.rfind(b"\n", 0, error.start) + 1
        place = Place(
            path,
            raw.count(b"\n", 0, error.start) + 1,
            len(raw[line_start : error.start].decode("utf-8")) + 1,
        )
        raise InputError(
            [Fault(place, "config-syntax", "not UTF-8", fix="save the file as UTF-8")]
        ) from error


def _cross_check(config: Config, path: str, text: str) -> list[Fault]:
    faults = []
    names = {name.rstrip(".").lower() for name in config.tsig}
    for index, secondary in enumerate(config.secondary):
        if secondary.tsig is not None and secondary.tsig.rstrip(".").lower() not in names:
            faults.append(
                Fault(
                    locate(path, text, ("secondary", index, "tsig")),
                    "tsig-key-unknown",
                    f"secondary {secondary.name} uses TSIG key {secondary.tsig}, which is not here",
                    fix=f'add [tsig."{secondary.tsig}"] with a secret-file',
                )
            )
        elif secondary.tsig is None and config.serve.tsig_required:
            faults.append(
                Fault(
                    locate(path, text, ("secondary", index)),
                    "tsig-required",
                    f"secondary {secondary.name} has no TSIG key",
                    why="anyone who can forge its address could read the zones and their Lua code",
                    fix="give it tsig = ..., or set tsig-required = false in [serve]",
                )
            )
    versions = [ipaddress.ip_address(one).version for one in config.serve.notify_source]
    if len(set(versions)) < len(versions):
        faults.append(
            Fault(
                locate(path, text, ("serve", "notify-source")),
                "notify-source",
                "notify-source has two addresses of one family",
                "NOTIFY leaves from one of them, which secondaries have to know as the primary's",
                "keep one IPv4 and one IPv6 address at most",
            )
        )
    seen: dict[str, str] = {}
    for name, section in config.tsig.items():
        first = seen.setdefault(name.rstrip(".").lower(), name)
        if first != name:
            faults.append(
                Fault(
                    locate(path, text, ("tsig", name)),
                    "tsig-key-twice",
                    f"TSIG keys {first} and {name} have the same name",
                    "names are compared without case and final dot; one secret would never be used",
                    "keep one of them",
                )
            )
        if section.secret is not None and not _from_base64(section.secret):
            faults.append(_no_base64(locate(path, text, ("tsig", name, "secret")), name))
        if (section.secret is None) == (section.secret_file is None):
            faults.append(
                Fault(
                    locate(path, text, ("tsig", name)),
                    "tsig-secret",
                    f"TSIG key {name} needs exactly one of secret and secret-file",
                )
            )
    return faults
