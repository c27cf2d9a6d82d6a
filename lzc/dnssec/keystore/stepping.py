"""Taking a step of a key's life in a keystore: what it must not take away, and what it writes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lzc.dnssec.key import ForeignKey, SigningKey
from lzc.dnssec.keystore import bindfile
from lzc.dnssec.keystore.changes import REMOVED, Change
from lzc.dnssec.keystore.foreign_records import format_sync
from lzc.dnssec.keystore.keystore import KINDS, Keystore, base_name, sync_file
from lzc.dnssec.life import steps
from lzc.dnssec.life.moments import shown
from lzc.dnssec.life.outlook import DatedKey
from lzc.dnssec.life.phases import Intervals
from lzc.dnssec.life.steps import Contradiction, Step
from lzc.dnssec.life.timing import Timing
from lzc.dnssec.sync_records import without
from lzc.faults import InputError
from lzc.wire import name as wire_name

AnyKey = SigningKey | ForeignKey
Number = tuple[int | None, int]
"""An algorithm, where it is said, and a key tag."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A step that somebody wants to take: with which keys of a zone, when (seconds since the epoch;
    `None`: never), and whether it is to be taken whatever it takes away. ``purge`` destroys files
    of removed keys."""

    zone: bytes
    numbers: tuple[Number, ...]
    step: Step
    at: int | None
    force: bool = False
    purge: bool = False
    command: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken: the key before and after it (`None`: its files are gone, to ``folder``
    unless it is empty), and in words what else was changed and what follows."""

    before: AnyKey
    after: AnyKey | None
    also: tuple[str, ...]
    follows: tuple[str, ...]
    folder: str = ""


def take(keystore: Keystore, wanted: Wanted, now: float, intervals: Intervals) -> list[Taken]:
    """Take a step with all of the keys, or with none. Raises `InputError` where a key is not there,
    cannot take it, or is the last of its kind."""
    with keystore.changing(now, wanted.command) as change:
        own, foreign = keystore.load(wanted.zone), keystore.foreign(wanted.zone)
        every: list[AnyKey] = [*own, *foreign]
        chosen = [find(keystore, wanted.zone, every, number, now) for number in wanted.numbers]
        taken = [_step(keystore, change, wanted, key, now, intervals) for key in chosen]
        if not wanted.force:
            _check_last(keystore, wanted, own, taken, now)
        gone = [one.before for one in taken if one.after is None]
        others = [key for key in gone if isinstance(key, ForeignKey)]
        _take_back(keystore, change, wanted.zone, others)
        at = "never" if wanted.at is None else shown(wanted.at)
        did = f"{wanted.step} at {at}" + (", by force" if wanted.force else "")
        tags = [one.before.tag for one in taken]
        became = [one.after.tag for one in taken if one.after and one.after.tag not in tags]
        change.tell(wire_name.to_text(wanted.zone), [*tags, *became], did)
    return taken


def find(
    keystore: Keystore, zone: bytes, keys: Sequence[AnyKey], number: Number, now: float
) -> AnyKey:
    """The key with a number, among the keys of a zone. Raises `InputError`."""
    algorithm, tag = number
    found = [
        key
        for key in keys
        if tag in (key.tag, key.at(now).tag if isinstance(key, SigningKey) else key.tag)
        and algorithm in (None, key.algorithm)
    ]
    if len(found) == 1:
        return found[0]
    owner = wire_name.to_text(zone)
    if found:
        names = ", ".join(f"{key.algorithm}+{key.tag}" for key in found)
        raise InputError.at(
            keystore.path,
            "key-ambiguous",
            f"{owner} has several keys with tag {tag}",
            fix=f"put the algorithm in front: {names}",
        )
    known = ", ".join(str(key.tag) for key in keys) or "none"
    problem = f"{owner} has no key with tag {tag}; it has {known}"
    raise InputError.at(keystore.path, "key-unknown", problem, fix="name one of these")


def _step(
    keystore: Keystore,
    change: Change,
    wanted: Wanted,
    key: AnyKey,
    now: float,
    intervals: Intervals,
) -> Taken:
    step, base = wanted.step, base_name(key)
    timing = key.timing
    if isinstance(key, ForeignKey):
        if step not in (Step.PUBLISH, Step.REMOVE):
            raise _refused(keystore, key, "key-foreign", "its private key is with another operator")
    elif key.managed:
        if not wanted.force:
            raise InputError.at(
                keystore.path / f"{base}.state",
                "key-managed",
                f"key {key.tag} is looked after by BIND's dnssec-policy, by this file",
                why="dates that lzc sets would count for nobody",
                fix="have BIND do it (rndc dnssec); or add --force, which takes the key from it",
            )
        state = keystore.state(key)
        timing = state.timing(now) if state is not None else timing
        change.drop(f"{base}.state")
    if step is Step.REVOKE and not (key.is_sep or wanted.force):
        problem = "it is a ZSK: nobody has it as a trust anchor (RFC 5011 §2.1); retire it"
        raise _refused(keystore, key, "key-step", problem)
    try:
        found = steps.dated(timing, step, wanted.at, now, is_sep=key.is_sep)
    except Contradiction as error:
        raise _refused(keystore, key, "key-step", str(error)) from error
    plain = DatedKey(key.tag, key.is_sep, timing)
    follows = tuple(steps.consequences(plain, found.timing, step, now, intervals))
    after: AnyKey | None = replace(key, timing=found.timing)
    folder = ""
    if step is Step.REMOVE and wanted.at is not None and wanted.at <= now:
        _check_idle(keystore, wanted, key, timing, now)
        folder = _take_out(change, wanted, base, now)
        after = None
    elif isinstance(after, ForeignKey):
        change.put(f"{base}.key", bindfile.format_public(after))
    elif isinstance(after, SigningKey):
        after = replace(after, managed=False)
        if after.timing.is_revoked(now) and not after.is_revoked:
            after = after.revoked()
            keystore.check_free(after.zone, after.algorithm, after.tag)
            for kind in KINDS:
                change.drop(f"{base}.{kind}")
        keystore.put(change, after, replaces=True)
    return Taken(key, after, found.also, follows, folder)


def _take_out(change: Change, wanted: Wanted, base: str, now: float) -> str:
    """Move the files of a key into a folder of this moment, or destroy them; gives the folder."""
    folder = "" if wanted.purge else f"{REMOVED}/{shown(now).replace(':', '')}"
    for kind in KINDS:
        if folder:
            change.move(f"{base}.{kind}", folder)
        else:
            change.drop(f"{base}.{kind}")
    return folder


def _take_back(keystore: Keystore, change: Change, zone: bytes, gone: Sequence[ForeignKey]) -> None:
    """Leave out the CDS and CDNSKEY records of other operators that name keys which are gone: the
    parent would make a DS of each, which leads nowhere (RFC 7344 §4.1)."""
    records = keystore.foreign_records(zone) if gone else {}
    left = without(zone, records, (key.dnskey for key in gone))
    if left:
        change.put(sync_file(zone), format_sync(zone, left))
    elif records:
        change.drop(sync_file(zone))


def _check_idle(
    keystore: Keystore, wanted: Wanted, key: AnyKey, timing: Timing, now: float
) -> None:
    if wanted.force or isinstance(key, ForeignKey) or not timing.is_active(now):
        return
    zone = shlex.quote(wire_name.to_text(key.zone).rstrip(".") or ".")
    raise InputError.at(
        keystore.path / f"{base_name(key)}.private",
        "key-in-use",
        f"key {key.tag} signs now",
        why="its signatures are in caches, and validate only with its DNSKEY",
        fix=f"lzc keys retire {zone} {key.tag}, and remove it when its signatures are in no cache",
    )


def _check_last(
    keystore: Keystore,
    wanted: Wanted,
    own: Sequence[SigningKey],
    taken: Sequence[Taken],
    now: float,
) -> None:
    changed = {base_name(one.before): one.after for one in taken}
    after = [changed.get(base_name(key), key) for key in own]
    why = steps.takes_away(
        [DatedKey(key.tag, key.is_sep, key.timing) for key in own],
        [DatedKey(key.tag, key.is_sep, key.timing) for key in after if key is not None],
        now,
    )
    if not own or not why:
        return
    name = wire_name.to_text(wanted.zone)
    zone = shlex.quote(name.rstrip(".") or ".")
    raise InputError.at(
        keystore.path,
        "last-key",
        f"after this, zone {name} {why}",
        why="below a DS, none of its answers validates any more",
        fix=f"make another one first: lzc keys generate {zone} --add; or add --force",
    )


def _refused(keystore: Keystore, key: AnyKey, rule: str, why: str) -> InputError:
    kind = "key" if isinstance(key, ForeignKey) else "private"
    file = keystore.path / f"{base_name(key)}.{kind}"
    return InputError.at(file, rule, f"key {key.tag} cannot take this step: {why}")
