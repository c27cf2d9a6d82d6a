"""Taking over the records of another operator who signs the same zone (RFC 8901)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lzc.dnssec.key import ForeignKey, tags_of
from lzc.dnssec.keystore import bindfile, foreign_records
from lzc.dnssec.keystore.bindfile import InvalidKeyFile
from lzc.dnssec.keystore.foreign_records import format_sync
from lzc.dnssec.keystore.key_files import damaged
from lzc.dnssec.keystore.keystore import Keystore, base_name, sync_file
from lzc.dnssec.life.timing import Timing
from lzc.faults import InputError
from lzc.wire import name as wire_name


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The keys that are new here, and how many CDS and CDNSKEY records are kept of theirs."""

    keys: tuple[ForeignKey, ...]
    records: int


def take_over(
    keystore: Keystore, zone: bytes, files: Sequence[Path], now: float, command: str
) -> TakenOver:
    """Keep the DNSKEY records in files, published from ``now`` on, and the CDS and CDNSKEY records
    in place of those that were kept before. A ``.key`` file keeps its dates. Keys that are here
    already are passed over. Raises `InputError`."""
    zone = zone.lower()
    found: dict[bytes, Timing] = {}
    sync: dict[int, set[bytes]] = {}
    for file in files:
        text = _read(file)
        try:
            records = foreign_records.parse(text, zone)
            times = bindfile.parse_public_times(text)
        except InvalidKeyFile as error:
            raise InputError(damaged(file, zone, error)) from error
        if times == Timing() or len(records.dnskeys) != 1:
            times = Timing(created=int(now), publish=int(now))
        found |= dict.fromkeys(records.dnskeys, times)
        for rrtype, rdatas in records.sync.items():
            sync.setdefault(rrtype, set()).update(rdatas)
    if not found and not sync:
        problem = f"there is no DNSKEY, CDS or CDNSKEY record of {wire_name.to_text(zone)} in it"
        fix = "take what dig +noall +answer ZONE DNSKEY prints of the other operator's server"
        raise InputError.at(files[0], "no-foreign-records", problem, fix=fix)
    with keystore.changing(now, command) as change:
        known = {key.dnskey for key in keystore.load(zone)}
        known |= {key.dnskey for key in keystore.foreign(zone)}
        made = [ForeignKey.make(zone, key, at) for key, at in found.items() if key not in known]
        taken = keystore.tags(zone)
        for key in made:
            if tags_of(key.dnskey) & taken:
                raise InputError.at(
                    keystore.path,
                    "key-tag-taken",
                    f"the other operator's key {key.tag} has the tag of a key that is here",
                    why="resolvers would try both, and some give up",
                    fix="make another key in place of yours, or have the other operator do so",
                )
            change.put(f"{base_name(key)}.key", bindfile.format_public(key))
        plain = {rrtype: tuple(sorted(rdatas)) for rrtype, rdatas in sync.items()}
        if plain:
            change.put(sync_file(zone), format_sync(zone, plain))
        count = sum(map(len, plain.values()))
        did = f"took over from another operator, with {count} CDS and CDNSKEY records"
        change.tell(wire_name.to_text(zone), [key.tag for key in made], did)
    return TakenOver(tuple(made), count)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise InputError.at(file, "key-unreadable", problem, fix="name another file") from error
