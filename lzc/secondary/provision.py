"""The files that secondaries are set up with, whatever they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lzc.config import Config, SecondarySection
from lzc.dnssec.keystore.keystore import Keystore
from lzc.secondary import conventional, powerdns
from lzc.secondary.exported import Provision
from lzc.secondary.zones import Zones

_FOR_CATALOGS: Final = ("powerdns.sh", "named.conf", "nsd.conf", "knot.conf")


def files_for(
    config: Config,
    sections: Sequence[SecondarySection],
    zones: Zones,
    keystore: Keystore,
    now: float,
    *,
    secrets: bool,
    by_catalog: bool = False,
) -> Provision:
    """The files for some secondaries; with ``by_catalog``, those for the catalogs that they take
    and for what comes by these. Secondaries of unknown software are left out. Raises `InputError`.
    """
    made = Provision([], [])
    for section in sections:
        seen = zones.arriving_at(config, section) if by_catalog else zones
        if by_catalog and not seen.catalogs_of(section):
            continue
        if section.product == "powerdns":
            one = powerdns.provision(config, section, seen, keystore, now, secrets=secrets)
        elif section.product in conventional.SOFTWARE:
            one = conventional.provision(config, section, seen, secrets=secrets)
        else:
            continue
        made += _renamed(one) if by_catalog else one
    return made


def _renamed(made: Provision) -> Provision:
    """Files that do not take the place of those for all zones: settings are those of all, secrets
    and certificates the same."""
    files = []
    for file in made.files:
        folder, _, name = file.name.rpartition("/")
        if name == "pdns.conf":
            continue
        if name in _FOR_CATALOGS:
            file = replace(file, name=f"{folder}/catalog-{name}")
        files.append(file)
    return Provision(files, made.warnings)
