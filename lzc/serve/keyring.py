"""Secrets of the running server: TSIG keys, the cookie secret, and signers from the keystore."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping

from lzc.bundle.reader import Bundle, ZoneInfo
from lzc.config import Config, read_secret
from lzc.dnssec.keystore import Keystore
from lzc.dnssec.signer import SignatureCache, ZoneSigner
from lzc.foreign_text import shown
from lzc.wire import name as wire_name
from lzc.wire.cookie import SECRET
from lzc.wire.tsig import TsigKey
from lzc.zone.place import Fault, InputError, Place

log = logging.getLogger("lzc")


def tsig_keys(config: Config) -> dict[bytes, TsigKey]:
    """All TSIG keys of the configuration by lower-case wire name. Raises `InputError` with every
    secret that cannot be used."""
    found: dict[bytes, TsigKey] = {}
    faults: list[Fault] = []
    for name, section in config.tsig.items():
        wire = wire_name.from_text(name, wire_name.ROOT).lower()
        try:
            secret = config.tsig_secret(name)
        except InputError as error:
            faults.extend(error.faults)
        else:
            found[wire] = TsigKey(wire, section.algorithm, secret)
    if faults:
        raise InputError(faults)
    return found


def cookie_secret(config: Config) -> bytes | None:
    """The 16 octets for server cookies in the configured file; `None` where none is configured.
    Raises `InputError`."""
    name = config.serve.cookie_secret_file
    if name is None:
        return None
    path = config.path(name)
    file = shlex.quote(str(path))
    fix = f"openssl rand -hex {SECRET} > {file}; chmod 600 {file}"
    why = "whoever reads it can make cookies of any client, which then prove nothing (RFC 7873)"
    raw = read_secret(path, "cookie-secret", "the cookie secret", why=why, fix=fix)
    try:
        secret = bytes.fromhex(raw.decode())
    except ValueError:
        secret = b""
    if len(secret) != SECRET:
        problem = f"the cookie secret is not {2 * SECRET} hexadecimal digits"
        raise InputError([Fault(Place(str(path)), "cookie-secret", problem, fix=fix)])
    return secret


class Signers(Mapping[bytes, ZoneSigner]):
    """The signer of each signed zone, made when it is first asked for.

    A signer holds those private keys whose DNSKEY the bundle publishes. A zone whose keys cannot
    be read has no signer: its queries are SERVFAIL, the reason is in the log.
    """

    def __init__(self, bundle: Bundle, keystore: Keystore, cache: SignatureCache) -> None:
        self._bundle = bundle
        self._keystore = keystore
        self._cache = cache
        self._made: dict[bytes, ZoneSigner | None] = {}

    def load(self, info: ZoneInfo) -> None:
        """Make the signer of a zone now, if it is a signed one. Raises `InputError`."""
        if info.signed:
            self._made[info.apex] = self._make(info)

    def __getitem__(self, apex: bytes) -> ZoneSigner:
        if apex not in self._made:
            self._made[apex] = self._make_or_log(apex)
        signer = self._made[apex]
        if signer is None:
            raise KeyError(apex)
        return signer

    def __iter__(self) -> Iterator[bytes]:
        return (info.apex for info in self._bundle.zones() if info.signed)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _make_or_log(self, apex: bytes) -> ZoneSigner | None:
        view = self._bundle.zone(apex)
        if view is None or not view.info.signed:
            return None
        try:
            return self._make(view.info)
        except InputError as error:
            for fault in error.faults:
                log.error(
                    "%s: %s; fix: %s", shown(fault.place), shown(fault.message), shown(fault.fix)
                )
            return None

    def _make(self, info: ZoneInfo) -> ZoneSigner:
        published = {key.dnskey for key in info.keys}
        keys = [key for key in self._keystore.load(info.apex) if key.dnskey in published]
        if not keys:
            tags = ", ".join(str(key.tag) for key in info.keys)
            name = wire_name.to_text(info.apex)
            raise InputError(
                [
                    Fault(
                        Place(str(self._keystore.path)),
                        "key-missing",
                        f"zone {name} is signed with key {tags}, which is not here",
                        why="its answers would not validate",
                        fix="copy the keys of the build here, or build again",
                    )
                ]
            )
        return ZoneSigner(keys, self._cache)
