"""Secrets of the running server: TSIG keys, the cookie secret, and signers from the keystore."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, Final

from lzc.bundle.reader import Bundle, ZoneInfo
from lzc.bundle.zone_keys import ZoneKeys, unreachable, zone_keys
from lzc.config import Config
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.cache import SignatureCache
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.dnssec.token.sessions import UNREACHABLE
from lzc.faults import Fault, InputError
from lzc.serve.worker.right_time import refusal
from lzc.wire import name as wire_name
from lzc.wire.tsig import TsigKey

RETRIES: Final = 50
"""Zones without usable keys that are tried again at once."""


Faults = Mapping[str, tuple[Fault, ...]]
"""By the name of the zone, with its final dot, or of the key."""


def read_tsig(config: Config) -> tuple[dict[bytes, TsigKey], Faults]:
    """The TSIG keys by lower-case wire name, and what is wrong with others, by their names."""
    tsig: dict[bytes, TsigKey] = {}
    faults: dict[str, tuple[Fault, ...]] = {}
    for name, section in config.tsig.items():
        wire = wire_name.from_text(name, wire_name.ROOT).lower()
        try:
            tsig[wire] = TsigKey(wire, section.algorithm, config.tsig_secret(name))
        except InputError as error:
            faults[name] = error.faults
    return tsig, faults


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of the settings, as they were when they were read. ``tsig`` are by lower-case
    wire name; ``cookie`` are 16 octets; ``faults`` say by the name of a TSIG key why it is not
    among them: who uses it gets no transfer, and no NOTIFY."""

    tsig: Mapping[bytes, TsigKey]
    cookie: bytes
    faults: Faults = field(default_factory=dict)

    @classmethod
    def read(cls, config: Config, random_secret: bytes) -> Secrets:
        """Read the files; where the settings name none for cookies, theirs is ``random_secret``.
        Raises `InputError`, with all that is wrong, where that one cannot be used, which concerns
        every client."""
        tsig, faults = read_tsig(config)
        try:
            return cls(tsig, config.cookie_secret() or random_secret, faults)
        except InputError as error:
            raise InputError([*error.faults, *chain(*faults.values())]) from error

    def status(self) -> list[dict[str, Any]]:
        """For ``lzc ctl status``: the TSIG keys that cannot be used."""
        return [
            {"key": name, "place": str(fault.place), "problem": fault.message, "fix": fault.fix}
            for name, faults in self.faults.items()
            for fault in faults
        ]


class Signers(Mapping[bytes, ZoneSigner]):
    """The signer of each signed zone, made when it is first asked for.

    A signer holds those private keys whose DNSKEY the bundle publishes. A zone whose keys cannot be
    used has none: it is in ``out``, with the reasons, and ``told`` is called with them. ``clock``
    gives seconds since the epoch; where it says a time before ``not_before``, it is wrong, and no
    zone has a signer.
    """

    def __init__(
        self,
        bundle: Bundle,
        keystore: Keystore,
        cache: SignatureCache,
        *,
        told: Callable[[bytes, tuple[Fault, ...]], None] | None = None,
        clock: Callable[[], float] = time.time,
        not_before: float = 0.0,
    ) -> None:
        self._bundle = bundle
        self._not_before = not_before
        self._keystore = keystore
        self._cache = cache
        self._told = told
        self._clock = clock
        self._made: dict[bytes, ZoneSigner] = {}
        self._changes = float("inf")
        self._looked = clock()
        self._told_until = keystore.told_until()
        self.out: dict[bytes, tuple[Fault, ...]] = {}

    def load(self, info: ZoneInfo) -> None:
        """Make the signer of a zone now, if it is a signed one and its keys can be used."""
        if info.signed and not info.presigned:
            self._take(info, self._clock())

    def adopt(self, others: Signers) -> None:
        """Go on with the signers of the same bundle that was opened before."""
        self._made.update(others._made)
        self.out.update(others.out)
        self._changes = min(self._changes, others._changes)
        self._told_until = others._told_until

    def look(self, now: float) -> set[bytes]:
        """See whose keys ceased to sign or began to, by their dates, or because a step was taken
        in the keystore; the zones that went out of service or changed their signer. To be called
        every second."""
        changed = self._stepped(now) | self._failed(now)
        if self._looked <= now < self._changes:
            return changed
        self._looked = now
        self._changes = float("inf")
        for apex, signer in list(self._made.items()):
            if now >= self._not_before and signer.signs(now):
                self._changes = min(self._changes, signer.changes_after(now))
            else:
                self._take_again(apex, now)
                changed.add(apex)
        return changed

    def _stepped(self, now: float) -> set[bytes]:
        """The zones of which somebody changed keys, as the keystore's log has it, their signers
        made anew."""
        zones, self._told_until = self._keystore.changed_zones(self._told_until)
        changed = {apex for apex in zones if apex in self._made}
        for apex in changed:
            self._take_again(apex, now)
        return changed

    def _failed(self, now: float) -> set[bytes]:
        """The zones with a key in a token that did not sign, tried once more."""
        failed, self._cache.failed = self._cache.failed, set()
        changed = {apex for apex in failed if apex in self._made}
        for apex in changed:
            self._take_again(apex, now)
        return changed

    def retry(self, now: float) -> set[bytes]:
        """Try some of the zones that are out of service again; those that are back. Of tokens that
        cannot be reached one is tried: it may take a while to say so."""
        some = list(islice(self.out, RETRIES))
        waits = False
        for apex in some:
            # To the end, for the others to have their turn.
            before = self.out[apex] = self.out.pop(apex)
            if waits and any(fault.rule == UNREACHABLE for fault in before):
                continue
            self._take_again(apex, now)
            waits |= any(fault.rule == UNREACHABLE for fault in self.out.get(apex, ()))
        return {apex for apex in some if apex not in self.out}

    def __getitem__(self, apex: bytes) -> ZoneSigner:
        if apex not in self._made and apex not in self.out:
            self._take_again(apex, self._clock())
        return self._made[apex]

    def __iter__(self) -> Iterator[bytes]:
        zones = self._bundle.zones()
        return (info.apex for info in zones if info.signed and not info.presigned)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _take_again(self, apex: bytes, now: float) -> None:
        view = self._bundle.zone(apex)
        if view is not None and view.info.signed and not view.info.presigned:
            self._take(view.info, now)

    def _take(self, info: ZoneInfo, now: float) -> None:
        if now < self._not_before:
            fault = refusal(self._bundle.path, info, now, self._not_before)
            found = ZoneKeys(errors=(fault,))
        else:
            found = zone_keys(self._keystore, info, now)
            if not found.errors:
                found = replace(found, errors=unreachable(found.keys, now))
        if found.errors:
            self._made.pop(info.apex, None)
            self.out[info.apex] = found.errors
            if self._told is not None:
                self._told(info.apex, found.errors)
            return
        self.out.pop(info.apex, None)
        signer = self._made[info.apex] = ZoneSigner(found.keys, self._cache)
        self._changes = min(self._changes, signer.changes_after(now))
