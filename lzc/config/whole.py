"""A whole ``lzc.toml``: its sections together, and how a TOML file is read."""

from __future__ import annotations

import base64
import difflib
import json
import os
import re
import shlex
import stat
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Final

from lzc.config.policies import (
    BUILT_IN,
    DELETE,
    Policy,
    PolicySection,
    SyncSettings,
    nonsense,
    parse_digests,
)
from lzc.config.sections import (
    BuildSection,
    DnssecSection,
    DomainName,
    HealthSection,
    LuaSection,
    SecondarySection,
    ServeSection,
    TsigSection,
    ZoneSection,
    parse_endpoint,
)
from lzc.config.table import Field, Table, ValidationError
from lzc.faults import Fault, InputError, Place
from lzc.file_owner import stranger, take_over
from lzc.powerdns_versions import (
    BLANKS,
    Version,
    parse_version,
    shared_by,
    since,
    version_of,
)


class Config(Table):
    """A whole ``lzc.toml``, read from `file`. `folder` is where its relative paths start;
    `against` another version of PowerDNS, whose answers those of the project are held against."""

    build: BuildSection = BuildSection()
    lua: LuaSection = LuaSection()
    health: HealthSection = HealthSection()
    dnssec: DnssecSection = DnssecSection()
    policy: dict[str, PolicySection] = Field(default={})
    zone: dict[DomainName, ZoneSection] = Field(default={})
    serve: ServeSection = ServeSection()
    tsig: dict[DomainName, TsigSection] = Field(default={})
    secondary: list[SecondarySection] = Field(default=[])
    # What `load` adds; no keys.
    folder: ClassVar[Path] = Path()
    file: ClassVar[Path] = Path("lzc.toml")
    against: ClassVar[Version | None] = None

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

    @property
    def geo_files(self) -> list[Path]:
        """The geo databases, in the order in which they are asked."""
        return [self.path(one) for one in self.serve.geoip]

    def secret_files(self) -> list[tuple[Path, str]]:
        """Every file that the settings name for the secret in it, and what it is in words."""
        found = [
            (self.path(section.secret_file), f"the secret of TSIG key {name}")
            for name, section in self.tsig.items()
            if section.secret_file is not None
        ]
        if self.serve.cookie_secret_file is not None:
            found.append((self.path(self.serve.cookie_secret_file), "the secret of DNS cookies"))
        for path in self._keystore_secret_files():
            found.append((path, "the secret of the keystore"))
        if self.serve.http_token_file is not None:
            found.append((self.path(self.serve.http_token_file), "the token of [serve] http"))
        return found

    def powerdns(self, zone: str) -> Version:
        """The version whose answers the LUA records of a zone give: as said for it, or for all; or
        that of the secondaries that take it and run PowerDNS."""
        section = self.zone_section(zone)
        said = (section.powerdns if section is not None else None) or self.lua.powerdns
        if said is not None:
            return version_of(said)
        versions = [parse_version(one.software) for one in self.secondary if one.takes(zone)]
        return shared_by(version for version in versions if version is not None)

    def blanks(self, zone: str) -> bool:
        """Whether blanks stand between the strings of its LUA records."""
        said = self.lua.insert_whitespace
        return since(self.powerdns(zone), BLANKS) if said is None else said

    def zone_section(self, zone: str) -> ZoneSection | None:
        """What is said of a zone, however its name is written."""
        bare = zone.rstrip(".").lower()
        found = [one for name, one in self.zone.items() if name.rstrip(".").lower() == bare]
        return found[0] if found else None

    def key_policy(self, zone: str) -> Policy:
        """The policy of a zone's keys: as said for it, or for all."""
        section = self.zone_section(zone)
        name = (section.policy if section is not None else None) or self.dnssec.policy
        return self.policy_named(name)

    def policy_named(self, name: str) -> Policy:
        """A policy that has a table, or one of `lzc.config.policies.BUILT_IN`."""
        section = self.policy.get(name)
        if section is None:
            return Policy(name, name, self.dnssec.algorithm)
        return Policy.made_of(name, section, self.dnssec.algorithm)

    def sync_records(self, zone: str) -> SyncSettings:
        """Which CDS and CDNSKEY records a zone has: as said for it, for its policy, or for all."""
        section = self.zone_section(zone) or ZoneSection()
        policy = self.policy.get(section.policy or self.dnssec.policy) or PolicySection()
        cds = (section.publish_cds, policy.publish_cds, self.dnssec.publish_cds)
        keys = (section.publish_cdnskey, policy.publish_cdnskey, self.dnssec.publish_cdnskey)
        said = next(one for one in cds if one is not None)
        cdnskey = next(one for one in keys if one is not None)
        return SyncSettings(parse_digests(said), cdnskey, said == DELETE)

    @property
    def runs_lua(self) -> bool:
        """True when LUA records run in some zone."""
        return self.lua.enable or any(section.lua for section in self.zone.values())

    def tsig_secret(self, name: str) -> bytes:
        """The secret of a TSIG key, from ``secret`` or from the file that ``secret-file`` names.

        Raises `InputError` when the file is missing, holds anything but base64, or is open to
        others (mode beyond 0600/0640).
        """
        section = self.tsig[name]
        if section.secret is not None:
            return base64.b64decode(section.secret)  # checked by `load`
        assert section.secret_file is not None  # checked by `load`
        path = self.path(section.secret_file)
        raw = _read_secret(
            path,
            "tsig-secret",
            f"the secret of TSIG key {name}",
            why="whoever reads it can transfer and forge your zones",
            fix="create the file, or correct secret-file in lzc.toml",
        )
        secret = _from_base64(raw)
        if not secret:
            raise InputError(_no_base64(Place(str(path)), name))
        return secret

    def cookie_secret(self) -> bytes | None:
        """The 16 octets for server cookies in the configured file; `None` where none is configured.
        Raises `InputError`."""
        name = self.serve.cookie_secret_file
        if name is None:
            return None
        from lzc.wire.cookie import SECRET as COOKIE_SECRET

        path = self.path(name)
        file = shlex.quote(str(path))
        fix = f"openssl rand -hex {COOKIE_SECRET} > {file}; chmod 600 {file}"
        why = "whoever reads it can make cookies of any client, which then prove nothing (RFC 7873)"
        raw = _read_secret(path, "cookie-secret", "the cookie secret", why=why, fix=fix)
        try:
            secret = bytes.fromhex(raw.decode())
        except ValueError:
            secret = b""
        if len(secret) != COOKIE_SECRET:
            problem = f"the cookie secret is not {2 * COOKIE_SECRET} hexadecimal digits"
            raise InputError.at(path, "cookie-secret", problem, fix=fix)
        return secret

    def _keystore_secret_files(self) -> list[Path]:
        dnssec = self.dnssec
        names = (dnssec.keystore_passphrase_file, dnssec.keystore_key_file, dnssec.pkcs11_pin_file)
        return [self._credential(name) for name in names if name is not None]

    def _credential(self, name: str) -> Path:
        """The path of a secret: of the file, or of a credential that systemd hands to a service."""
        if not name.startswith(CREDENTIAL):
            return self.path(name)
        return Path(
            os.environ.get("CREDENTIALS_DIRECTORY", "/run/credentials")
        ) / name.removeprefix(CREDENTIAL)

    def keystore_passphrase(self) -> bytes | None:
        """The passphrase that seals private keys, in the configured file; `None` where none is
        configured. Raises `InputError`."""
        name = self.dnssec.keystore_passphrase_file
        if name is None:
            return None
        path = self._credential(name)
        found = _read_secret(path, "keystore-secret", "the passphrase of the keystore", **_SEALING)
        if not found:
            problem = "the passphrase of the keystore is empty"
            raise InputError.at(path, "keystore-secret", problem, fix="write one into the file")
        return found

    def keystore_key(self) -> bytes | None:
        """The 32 octets that seal private keys, in the configured file; `None` where none is
        configured. Raises `InputError`."""
        name = self.dnssec.keystore_key_file
        if name is None:
            return None
        path = self._credential(name)
        found = _read_secret(path, "keystore-secret", "the key of the keystore", **_SEALING)
        try:
            octets = bytes.fromhex(found.decode())
        except ValueError:
            octets = b""
        if len(octets) != 32:
            problem = "the key of the keystore is not 64 hexadecimal digits"
            fix = f"openssl rand -hex 32 > {shlex.quote(str(path))}, if nothing is sealed with it"
            raise InputError.at(path, "keystore-secret", problem, fix=fix)
        return octets

    @property
    def pkcs11_module(self) -> Path | None:
        """The library by which keys in tokens are reached."""
        name = self.dnssec.pkcs11_module
        return None if name is None else self.path(name)

    def pkcs11_pin(self, source: str | None = None) -> str | None:
        """The PIN of a token: in the file that ``source`` names, a path or a URI of ``file:``, or
        else in the configured one; `None` where neither is named. Raises `InputError`."""
        name = self.dnssec.pkcs11_pin_file
        if source is not None:
            path = self.path(source.removeprefix("file://").removeprefix("file:"))
        elif name is not None:
            path = self._credential(name)
        else:
            return None
        why = "whoever reads it can have the token sign, and forge your zones"
        fix = "write it into the file, mode 0600, or correct its name in [dnssec] or in pin-source"
        found = _read_secret(path, "token-pin", "the PIN of the token", why=why, fix=fix)
        try:
            pin = found.decode()
        except UnicodeDecodeError:
            pin = ""
        if not pin:
            problem = "the PIN of the token is empty, or not UTF-8"
            raise InputError.at(path, "token-pin", problem, fix=fix)
        return pin

    def http_token(self) -> bytes | None:
        """The bearer token (RFC 6750 §2.1) in the configured file; `None` where none is configured.
        Raises `InputError`."""
        name = self.serve.http_token_file
        if name is None:
            return None
        path = self.path(name)
        file = shlex.quote(str(path))
        fix = f"openssl rand -hex 24 > {file}; chmod 600 {file}"
        why = "whoever reads it can see what the server does"
        token = _read_secret(path, "http-token", "the token of http", why=why, fix=fix)
        if not re.fullmatch(rb"[A-Za-z0-9._~+/-]{16,}=*", token):
            problem = "the token of http is not 16 or more letters, digits, or any of -._~+/"
            raise InputError.at(path, "http-token", problem, fix=fix)
        return token


CREDENTIAL: Final = "credential:"
_SEALING: Final = {
    "why": "whoever reads it can open the private keys, and forge your zones",
    "fix": "bring the file back from where you keep a copy, or correct its name in [dnssec]",
}


def _read_secret(path: Path, rule: str, what: str, *, why: str, fix: str) -> bytes:
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
        raise InputError.at(path, f"{rule}-unreadable", problem, fix=fix) from error
    owner = stranger(status, path)
    if owner:
        problem = f"{what} belongs to another user ({owner})"
        raise InputError.at(path, f"{rule}-owner", problem, why, take_over(path))
    if status.st_mode & (stat.S_IWGRP | stat.S_IRWXO):
        problem, fix = f"{what} is open to other users", f"chmod 600 {shlex.quote(str(path))}"
        raise InputError.at(path, f"{rule}-exposed", problem, why, fix)
    return raw.strip()


def _from_base64(text: str | bytes) -> bytes:
    """The octets of a secret in base64; none where it is empty, which protects nothing, or not
    base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _no_base64(place: Place, name: str) -> Fault:
    """The fault of a TSIG secret that is empty or not base64; ``name`` is that of its key."""
    return Fault(
        place,
        "tsig-secret",
        f"the secret of TSIG key {name} is empty, or not base64",
        fix="make one with: openssl rand -base64 32",
    )


def load(path: str | os.PathLike[str], *, against: Version | None = None) -> Config:
    """Read and check a configuration file; for ``against`` see `Config`.

    Raises `InputError` with every fault found; places name the line where the key stands.
    """
    text, data = read_toml(path, fix=_where_else(Path(path)))
    resolved = Path(path).resolve()
    try:
        config = Config.read(data, folder=resolved.parent, file=resolved, against=against)
    except ValidationError as error:
        from lzc.config.faults import describe

        faults = [describe(str(path), text, Config, problem) for problem in error.problems]
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


def _check_policies(config: Config, path: str, text: str) -> Iterator[Fault]:
    # Here, as most files are right.
    from lzc.config.faults import locate

    known = [*BUILT_IN, *config.policy]
    named: list[tuple[tuple[str, ...], str]] = [(("dnssec", "policy"), config.dnssec.policy)]
    named += [
        (("zone", name, "policy"), section.policy)
        for name, section in config.zone.items()
        if section.policy is not None
    ]
    for where, name in named:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            yield Fault(
                locate(path, text, where),
                "policy-unknown",
                f"there is no policy {name!r}",
                fix=f'did you mean "{close[0]}"?'
                if close
                else f"add a table [policy.{json.dumps(name)}], or take one of: {', '.join(known)}",
            )
    for name, policy in config.policy.items():
        if name in BUILT_IN:
            yield Fault(
                locate(path, text, ("policy", name)),
                "policy-built-in",
                f"policy {name!r} is there without a table",
                "with another content, its name would mislead",
                "give it another name, and name that one in policy",
            )
        for key, problem, why, fix in nonsense(policy):
            place = locate(path, text, ("policy", name, key))
            yield Fault(place, "policy-nonsense", problem, why, fix)


def _cross_check(config: Config, path: str, text: str) -> Iterator[Fault]:
    yield from _check_policies(config, path, text)

    def place(*where: str | int) -> Place:
        # Here, as most files are right.
        from lzc.config.faults import locate

        return locate(path, text, where)

    names = {name.rstrip(".").lower() for name in config.tsig}
    for index, secondary in enumerate(config.secondary):
        if secondary.tsig is not None and secondary.tsig.rstrip(".").lower() not in names:
            yield Fault(
                place("secondary", index, "tsig"),
                "tsig-key-unknown",
                f"secondary {secondary.name} uses TSIG key {secondary.tsig}, which is not here",
                fix=f'add [tsig."{secondary.tsig}"] with a secret-file',
            )
        elif secondary.tsig is None and config.serve.tsig_required:
            yield Fault(
                place("secondary", index),
                "tsig-required",
                f"secondary {secondary.name} has no TSIG key",
                why="anyone who can forge its address could read the zones and their Lua code",
                fix="give it tsig = ..., or set tsig-required = false in [serve]",
            )
    dnssec = config.dnssec
    if dnssec.keystore_passphrase_file is not None and dnssec.keystore_key_file is not None:
        yield Fault(
            place("dnssec", "keystore-key-file"),
            "keystore-secret",
            "private keys are sealed with a passphrase or with a key, not with both",
            fix="keep keystore-passphrase-file or keystore-key-file",
        )
    versions = [ip_address(one).version for one in config.serve.notify_source]
    if len(set(versions)) < len(versions):
        yield Fault(
            place("serve", "notify-source"),
            "notify-source",
            "notify-source has two addresses of one family",
            "NOTIFY leaves from one of them, which secondaries have to know as the primary's",
            "keep one IPv4 and one IPv6 address at most",
        )
    http = config.serve.http
    if http is not None and config.serve.http_token_file is None:
        host = ip_address(parse_endpoint(http)[0])
        if not host.is_loopback:
            yield Fault(
                place("serve", "http"),
                "http-open",
                f"http = {http} is beyond loopback, and anybody there may read it",
                "it names zones, targets of health checks, and secondaries",
                "set http-token-file, or an address of loopback such as 127.0.0.1:8053",
            )
    seen: dict[str, str] = {}
    for name, section in config.tsig.items():
        first = seen.setdefault(name.rstrip(".").lower(), name)
        if first != name:
            yield Fault(
                place("tsig", name),
                "tsig-key-twice",
                f"TSIG keys {first} and {name} have the same name",
                "names are compared without case and final dot; one secret would never be used",
                "keep one of them",
            )
        if section.secret is not None and not _from_base64(section.secret):
            yield _no_base64(place("tsig", name, "secret"), name)
        if (section.secret is None) == (section.secret_file is None):
            yield Fault(
                place("tsig", name),
                "tsig-secret",
                f"TSIG key {name} needs exactly one of secret and secret-file",
            )


def read_toml(path: str | os.PathLike[str], *, fix: str) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and what it says. ``fix`` is what to do where it cannot be read.
    Raises `InputError`."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise InputError.at(path, "config-unreadable", problem, fix=fix) from error
    text = _decode(raw, str(path))
    try:
        data = tomllib.loads(text)
    except RecursionError:
        fix = "see https://toml.io; no setting of lzc nests deeper than a table in a list"
        raise InputError.at(path, "config-syntax", "values are nested too deep", fix=fix) from None
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\s*\(at line (\d+), column (\d+)\)", str(error))
        lines = text.splitlines() or [""]
        line, column = (int(where[1]), int(where[2])) if where else (len(lines), 1)
        what = str(error)[: where.start() if where else None].removesuffix(" (at end of document)")
        raise InputError.at(
            Place(str(path), line, column),
            "config-syntax",
            f"not valid TOML: {what[:1].lower()}{what[1:]}",
            fix="see https://toml.io; text stands in double quotes, tables in [brackets]",
        ) from error
    return text, data


def _decode(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        *before, line = raw[: error.start].split(b"\n")
        place = Place(path, len(before) + 1, len(line.decode("utf-8")) + 1)
        fix = "save the file as UTF-8"
        raise InputError.at(place, "config-syntax", "not UTF-8", fix=fix) from error
