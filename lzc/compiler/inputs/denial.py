"""How the zones of a project deny what they do not have, as ``lzc.toml`` says."""

from __future__ import annotations

from lzc.config import Config, PolicySection, ZoneSection
from lzc.dnssec.signing.denial import Denial, Way


def denial_of(config: Config, name: str) -> Denial:
    """The way of a zone, were it signed: what its own section says, its policy where that says
    nothing, and `[dnssec]` otherwise. Parameters of NSEC3 count where it takes any."""
    zone = config.zone_section(name) or ZoneSection()
    policy = config.policy.get(zone.policy or config.dnssec.policy) or PolicySection()
    said = (zone, policy, config.dnssec)
    way = Way(next(one.denial for one in said if one.denial is not None))
    if not Denial(way).is_hashed:
        return Denial(way)
    return Denial(
        way,
        next(one.nsec3_iterations for one in said if one.nsec3_iterations is not None),
        bytes.fromhex(next(one.nsec3_salt for one in said if one.nsec3_salt is not None)),
        next(one.nsec3_opt_out for one in said if one.nsec3_opt_out is not None),
    )
