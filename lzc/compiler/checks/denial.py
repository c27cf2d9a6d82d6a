"""What may be wrong with the way in which zones deny what they do not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lzc.compiler.checks.secondary_settings import in_short
from lzc.compiler.inputs.sources import ConfigFile
from lzc.config import Config
from lzc.dnssec.signing.denial import Denial, Way
from lzc.faults import Fault, Severity
from lzc.wire import name as wire_name
from lzc.wire.name import MAX_NAME

_HASH_LABEL: Final = 33
"""Octets of the first label of an NSEC3 owner, its length included (RFC 5155 §3)."""
MOST_ITERATIONS: Final = 50
"""Above this, BIND from 9.20 on takes a zone for one that is not signed, as RFC 9276 §3.2 lets
resolvers do; others have 100 or 150."""


def check_denial(
    config: Config, file: ConfigFile, denials: Mapping[str, Denial]
) -> Iterator[Fault]:
    """What is wrong with the ways of the signed zones, by their names."""
    # A hash in base32 comes in front, as a label.
    long = [name for name, denial in denials.items() if denial.is_hashed and _is_long(name)]
    if long:
        yield Fault(
            file.place(f'[zone."{long[0].rstrip(".")}"]', "[dnssec]"),
            "nsec3-long-apex",
            f"the owners of NSEC3 records would have more than {MAX_NAME} octets: {in_short(long)}",
            "no such name can be sent (RFC 1035 §2.3.4), so nothing could be denied",
            'set denial = "nsec" or "compact"',
        )
    iterating = [name for name, denial in denials.items() if denial.iterations]
    refused = [name for name in iterating if denials[name].iterations > MOST_ITERATIONS]
    if refused:
        most = max(denials[name].iterations for name in refused)
        yield Fault(
            file.place(f"nsec3-iterations = {most}", "nsec3-iterations"),
            "nsec3-iterations",
            f"{most} iterations of NSEC3 for {in_short(refused)}; at most {MOST_ITERATIONS}",
            "resolvers take the zone for one that is not signed, or fail (RFC 9276 §3.2)",
            "set nsec3-iterations = 0",
        )
    elif iterating:
        most = max(denials[name].iterations for name in iterating)
        yield Fault(
            file.place(f"nsec3-iterations = {most}", "nsec3-iterations"),
            "nsec3-iterations",
            f"{most} iterations of NSEC3 for {in_short(iterating)}",
            "resolvers may take the zone for one that is not signed (RFC 9276 §3.2), and each hash"
            " costs as many more",
            "set nsec3-iterations = 0, on secondaries too",
            Severity.WARNING,
        )
    for secondary in config.secondary:
        if not secondary.software.startswith("powerdns-"):
            continue
        compact = [
            name
            for name, denial in denials.items()
            if denial.way is Way.COMPACT and secondary.takes(name)
        ]
        if compact:
            yield Fault(
                file.place(f'name = "{secondary.name}"', f'"{secondary.name}"'),
                "secondary-denial",
                f"secondary {secondary.name} ({secondary.software}) gets zones with compact denial:"
                f" {in_short(compact)}",
                "it denies by NSEC: what is there can be listed there, and names that do not exist"
                " have another RCODE there than here",
                'set denial = "nsec3-narrow", which PowerDNS has too, or take them off its list',
                Severity.WARNING,
            )


def _is_long(name: str) -> bool:
    return _HASH_LABEL + len(wire_name.from_text(name, wire_name.ROOT)) > MAX_NAME
