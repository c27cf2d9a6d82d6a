"""A whole ``lzc.toml``: its sections together, and what they say of a zone and of secrets."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import ClassVar

from lzc.config import secret_files, tls_files
from lzc.config.policies import DELETE, Policy, PolicySection, SyncSettings, parse_digests
from lzc.config.provisioning import CatalogSection, ExportSection
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
)
from lzc.config.table import Field, Table
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
    catalog: dict[DomainName, CatalogSection] = Field(default={})
    export: ExportSection = ExportSection()
    # What `lzc.config.load` adds; no keys.
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
        if self.serve.tls_key_file is not None:
            found.append((self.path(self.serve.tls_key_file), "the key of TLS"))
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
        return secret_files.tsig_secret(self.path(section.secret_file), name)

    def cookie_secret(self) -> bytes | None:
        """The 16 octets for server cookies in the configured file; `None` where none is configured.
        Raises `InputError`."""
        name = self.serve.cookie_secret_file
        return None if name is None else secret_files.cookie_secret(self.path(name))

    def _keystore_secret_files(self) -> list[Path]:
        dnssec = self.dnssec
        names = (dnssec.keystore_passphrase_file, dnssec.keystore_key_file, dnssec.pkcs11_pin_file)
        return [self._credential(name) for name in names if name is not None]

    def _credential(self, name: str) -> Path:
        """The path of a secret: of the file, or of a credential that systemd hands to a service."""
        return secret_files.credential(name) or self.path(name)

    def keystore_passphrase(self) -> bytes | None:
        """The passphrase that seals private keys, in the configured file; `None` where none is
        configured. Raises `InputError`."""
        name = self.dnssec.keystore_passphrase_file
        return None if name is None else secret_files.keystore_passphrase(self._credential(name))

    def keystore_key(self) -> bytes | None:
        """The 32 octets that seal private keys, in the configured file; `None` where none is
        configured. Raises `InputError`."""
        name = self.dnssec.keystore_key_file
        return None if name is None else secret_files.keystore_key(self._credential(name))

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
        return secret_files.token_pin(path)

    def tls_certificate(self) -> bytes:
        """What is in the file of the certificate. Raises `InputError`."""
        assert self.serve.tls_certificate_file is not None  # checked by `load`
        path = self.path(self.serve.tls_certificate_file)
        return tls_files.read(path, "tls-certificate", "the certificate of TLS")

    def tls_key(self) -> bytes:
        """What is in the file of its key. Raises `InputError`, also where others may read it."""
        assert self.serve.tls_key_file is not None  # checked by `load`
        return secret_files.tls_key(self.path(self.serve.tls_key_file))

    def tls_client_ca(self) -> bytes:
        """What is in the file of CAs; nothing where none is named. Raises `InputError`."""
        name = self.serve.tls_client_ca_file
        if name is None:
            return b""
        return tls_files.read(self.path(name), "tls-client-ca", "the CA of TLS clients")

    @property
    def asks_for_certificates(self) -> bool:
        """Whether clients over TLS are asked for a certificate."""
        return any(one.shows_certificate for one in self.secondary)

    def http_token(self) -> bytes | None:
        """The bearer token (RFC 6750 §2.1) in the configured file; `None` where none is configured.
        Raises `InputError`."""
        name = self.serve.http_token_file
        return None if name is None else secret_files.http_token(self.path(name))
