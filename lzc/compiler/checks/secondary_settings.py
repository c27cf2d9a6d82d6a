"""What a zone needs to have set in the ``pdns.conf`` of a PowerDNS secondary, by version."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from lzc.compiler.inputs.sources import ConfigFile
from lzc.config import Config
from lzc.faults import Fault, Severity
from lzc.powerdns_versions import KNOWN, LUA_UPDATES, Version, parse_version
from lzc.wire import rrtype as rr

if TYPE_CHECKING:
    from lzc.zone.model import Zone

_SHOWN: Final = 3


class Setting(NamedTuple):
    """A setting that is off unless said, the first version that needs it, what in a zone needs it,
    and what happens without."""

    name: str
    since: Version
    holds: str
    without: str


LUA_RECORDS: Final = Setting(
    "enable-lua-record-updates",
    LUA_UPDATES,
    "LUA records",
    "it transfers the zone, refuses what it got, and answers REFUSED; and so again and again",
)
SUBNETS: Final = Setting(
    "edns-subnet-processing",
    KNOWN[0],
    "code that looks at where the client is",
    "it takes the resolver for the client, and answers for the place of that",
)
DNAMES: Final = Setting(
    "dname-processing",
    KNOWN[0],
    "DNAME records",
    "it says NXDOMAIN for all names below them",
)
FOREIGN_KEYS: Final = Setting(
    "direct-dnskey",
    KNOWN[0],
    "DNSKEY records of another signer",
    "it leaves them out, so that what the other one signs is bogus (RFC 8901)",
)
SETTINGS: Final = (LUA_RECORDS, SUBNETS, DNAMES, FOREIGN_KEYS)
"""All that a zone may need, but for ``enable-lua-records``: without that, nothing is as it was
meant, which is seen at once."""


def needed_by(zone: Zone, keys: Collection[bytes], *, looks_at_clients: bool) -> tuple[str, ...]:
    """The names of the settings that a zone needs, whatever the version; ``looks_at_clients``: its
    code does. ``keys`` are the RDATA of its own DNSKEY records: none of a zone that is not signed,
    whose DNSKEY records PowerDNS answers with as they are."""
    # Where no zone was read, nobody need wait for it to be imported what holds one.
    from lzc.zone.model import KEY, RDATA, TYPE

    types = {record[TYPE] for record in zone.records}
    needs = {
        LUA_RECORDS: rr.LUA in types,
        SUBNETS: looks_at_clients,
        DNAMES: rr.DNAME in types,
        FOREIGN_KEYS: bool(keys)
        and rr.DNSKEY in types
        and any(
            record[TYPE] == rr.DNSKEY and not record[KEY] and record[RDATA] not in keys
            for record in zone.records
        ),
    }
    return tuple(setting.name for setting, needed in needs.items() if needed)


def check_settings(
    config: Config, file: ConfigFile, needs: Mapping[str, Collection[str]]
) -> Iterator[Fault]:
    """A warning for each PowerDNS secondary and setting that its zones need, and that its
    ``settings`` do not list; ``needs`` are those of each zone, by its name."""
    for secondary in config.secondary:
        version = parse_version(secondary.software)
        if version is None:
            continue
        wanting: dict[Setting, list[str]] = {}
        for zone, names in needs.items():
            for setting in SETTINGS if secondary.takes(zone) else ():
                if setting.name in names and version >= setting.since:
                    wanting.setdefault(setting, []).append(zone)
        if not config.serve.edns_client_subnet:
            wanting.pop(SUBNETS, None)
        told = [one for one in SETTINGS if one in wanting and one.name not in secondary.settings]
        all_of_them = (*secondary.settings, *(setting.name for setting in told))
        listed = ", ".join(f'"{name}"' for name in all_of_them)
        for setting in told:
            yield Fault(
                file.place(f'name = "{secondary.name}"', f'"{secondary.name}"'),
                "secondary-setting",
                f"secondary {secondary.name} ({secondary.software}) needs {setting.name}=yes in"
                f" its pdns.conf: {setting.holds} in {in_short(wanting[setting])}",
                why=f"without, {setting.without}",
                fix=f"set it there, and say here what is set: settings = [{listed}]",
                severity=Severity.WARNING,
            )


def in_short(names: list[str]) -> str:
    """The first few of the names, and how many more there are."""
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return ", ".join(names[:_SHOWN]) + f" and {len(names) - _SHOWN} more"
