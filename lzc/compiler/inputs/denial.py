"""How the zones of a project deny what they do not have, as ``lzc.toml`` says."""

from __future__ import annotations

from lzc.config import Config, ZoneSection
from lzc.dnssec.denial import Denial, Way


def denial_of(config: Config, name: str) -> Denial:
    """The way of a zone, were it signed: what its own section says, and `[dnssec]` where that says
    nothing. Parameters of NSEC3 count where it takes any."""
    section = config.zone_section(name) or ZoneSection()
    general = config.dnssec
    way = Way(section.denial or general.denial)
    if not Denial(way).is_hashed:
        return Denial(way)
    iterations, salt, opt_out = (
        section.nsec3_iterations,
        section.nsec3_salt,
        section.nsec3_opt_out,
    )
    return Denial(
        way,
        general.nsec3_iterations if iterations is None else iterations,
        bytes.fromhex(general.nsec3_salt if salt is None else salt),
        general.nsec3_opt_out if opt_out is None else opt_out,
    )
