"""Whether the keys in the keystore sign a zone of a bundle, and if not, why."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lzc.bundle.zone_info import ZoneInfo
from lzc.dnssec.key import SigningKey
from lzc.dnssec.keystore.bindfile import number_of
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.life.outlook import SOON, Outlook, outlook, state_of, when
from lzc.dnssec.token.key import TokenKey
from lzc.faults import Fault, InputError, Place, Severity
from lzc.wire import name as wire_name

SIGNATURES_SOON: Final = 7 * 86400
"""Seconds before the first signature of a presigned zone expires from which on that is told."""


@dataclass(frozen=True, slots=True)
class ZoneKeys:
    """``keys`` are those that the bundle publishes and that can be used; with ``errors`` the zone
    is not to be served, ``warnings`` are about what comes, or about keys of no use to it.
    ``end`` is when its signatures no longer validate, seconds since the epoch; `None`: never by the
    dates of the keys."""

    keys: tuple[SigningKey, ...] = ()
    errors: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    end: float | None = None


def zone_keys(keystore: Keystore, info: ZoneInfo, now: float) -> ZoneKeys:
    """What there is to sign a zone with at ``now``, seconds since the epoch."""
    try:
        found, faults = keystore.sift(info.apex)
    except InputError as error:
        return ZoneKeys(errors=error.faults)
    published = {key.dnskey for key in info.keys}
    numbers = {(key.algorithm, key.tag) for key in info.keys}
    errors: list[Fault] = []
    warnings: list[Fault] = []
    for file, about in faults.items():
        if file == keystore.path or number_of(file.stem) in numbers:
            errors += about
        else:
            warnings += (replace(fault, severity=Severity.WARNING) for fault in about)
    # What the bundle has of a key may be later in its life than the files: from its date on it has
    # the flag of a revoked one.
    found = [key.revoked() if key.revoked().dnskey in published else key for key in found]
    keys = tuple(key for key in found if key.dnskey in published)
    if not errors and not keys:
        errors.append(_missing(keystore.path, info))
    if errors:
        return ZoneKeys((), tuple(errors), tuple(warnings))
    foreseen = outlook(keys, [key for key in found if key.dnskey not in published], now)
    if foreseen is not None and foreseen.at <= now:
        errors = [_inactive(keystore.path, info, found, foreseen, now)]
        return ZoneKeys((), tuple(errors), end=foreseen.at)
    if foreseen is not None and foreseen.at - now <= SOON:
        warnings.append(_ending(keystore.path, info, keys, foreseen, now))
    return ZoneKeys(keys, (), tuple(warnings), None if foreseen is None else foreseen.at)


def unreachable(keys: Iterable[SigningKey], now: float) -> tuple[Fault, ...]:
    """What is wrong with those of the keys that sign at ``now`` and lie in tokens. Opens these, in
    the process that calls it; takes as long as they do."""
    found: list[Fault] = []
    for key in in_tokens(keys, now):
        try:
            key.reach()
        except InputError as error:
            found += error.faults
    return tuple(dict.fromkeys(found))


def in_tokens(keys: Iterable[SigningKey], now: float) -> list[TokenKey]:
    """Those of the keys that sign at ``now`` and lie in tokens."""
    return [
        key.private
        for key in keys
        if isinstance(key.private, TokenKey) and (key.is_revoked or key.timing.is_active(now))
    ]


def zone_signatures(info: ZoneInfo, now: float) -> ZoneKeys:
    """What is to be said of a presigned zone: that its signatures expire soon, or did. It is served
    all the same, as by any server that does not sign: who does not validate has its answers."""
    end = float(info.signatures_end)
    if end - now > SIGNATURES_SOON:
        return ZoneKeys(end=end)
    what = "the first signatures of zone {} expire {}"
    if end <= now:
        what = "the first signatures of zone {} expired {}"
    fault = Fault(
        Place(_name(info)),
        "signatures-end",
        what.format(_name(info), when(end)),
        why="from then on validators call it bogus",
        fix="sign the zone again with what signed it, and build",
        severity=Severity.WARNING,
    )
    return ZoneKeys(warnings=(fault,), end=end)


def _missing(folder: Path, info: ZoneInfo) -> Fault:
    tags = ", ".join(str(key.tag) for key in info.keys)
    problem = f"zone {_name(info)} is signed with key {tags}, which is not here"
    if not folder.exists():
        problem += ": there is no such folder"
    return Fault(
        Place(str(folder)),
        "key-missing",
        problem,
        why="its answers would not validate",
        fix="copy the keys of the build here, or run: lzc build",
    )


def _inactive(
    folder: Path, info: ZoneInfo, found: Iterable[SigningKey], foreseen: Outlook, now: float
) -> Fault:
    states = "; ".join(state_of(key, now) for key in found)
    problem = f"zone {_name(info)} has no active key: {states}"
    fix = f"{_generate(info)}, then lzc build; or have one sign again: {_again(info, found, now)}"
    if foreseen.build is not None:
        problem += ", but not in this bundle"
        fix = "lzc build"
    return Fault(
        Place(str(folder)),
        "keys-inactive",
        problem,
        why="its answers would carry no signatures, which is bogus below a DS",
        fix=fix,
    )


def _ending(
    folder: Path, info: ZoneInfo, keys: Sequence[SigningKey], foreseen: Outlook, now: float
) -> Fault:
    if foreseen.build is not None:
        fix = f"lzc build, between {when(foreseen.build)} and {when(foreseen.at)}"
    else:
        fix = (
            f"{_generate(info)} --add, then lzc build, and give the parent its DS"
            f" (lzc keys ds {_shell_name(info)});"
            f" or let these go on: lzc keys retire {_shell_name(info)} {_ending_tags(keys, now)}"
            " --at never"
        )
    return Fault(
        Place(str(folder)),
        "keys-end",
        f"zone {_name(info)} {foreseen.why}",
        why="from then on none of its answers validates below a DS",
        fix=fix,
        severity=Severity.WARNING,
    )


def _name(info: ZoneInfo) -> str:
    return wire_name.to_text(info.apex)


def _again(info: ZoneInfo, keys: Iterable[SigningKey], now: float) -> str:
    tags = " ".join(str(key.tag) for key in keys if not key.timing.is_revoked(now))
    return f"lzc keys activate {_shell_name(info)} {tags}"


def _ending_tags(keys: Iterable[SigningKey], now: float) -> str:
    """The tags of keys that sign now and retire some time."""
    return " ".join(
        str(key.tag)
        for key in keys
        if key.timing.is_active(now) and key.timing.inactive is not None
    )


def _generate(info: ZoneInfo) -> str:
    return f"lzc keys generate {_shell_name(info)}"


def _shell_name(info: ZoneInfo) -> str:
    return shlex.quote(_name(info).rstrip(".") or ".")
