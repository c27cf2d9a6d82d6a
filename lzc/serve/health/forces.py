"""What operators say of targets, instead of what checks find: which checks it is about.

A target is an address, an address and a port, or the id of a check; the narrowest one counts.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection, Mapping
from typing import Final

from lzc.health_check import Check
from lzc.serve.health.saved_state import Force

SHORTEST_ID: Final = 6
"""Hexadecimal digits of a check's id that are enough, if no other check's begins so."""

_NEAR: Final = 5


def target_of(text: str, keys: Collection[bytes]) -> str:
    """The target that a user means, in its one spelling; ``keys`` are those of all checks there
    are. Raises `ValueError` for what is none."""
    text = text.strip().lower()
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})", text)
    try:
        if found is not None and 0 < int(found[3]) < 65536:
            return _with_port(str(ipaddress.ip_address(found[1] or found[2])), int(found[3]))
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_ID},32}}", text):
        raise ValueError(f"{text} is neither ADDRESS nor ADDRESS:PORT nor the id of a check")
    begin = [key.hex() for key in keys if key.hex().startswith(text)]
    if len(begin) != 1:
        raise ValueError(f"{'more than one' if begin else 'no'} check has an id like {text}")
    return begin[0]


def targets_of(check: Check, key: bytes) -> tuple[str, ...]:
    """The targets that a check belongs to, the narrowest first."""
    host, port = check.endpoint()
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        return (key.hex(),)
    return (key.hex(), _with_port(address, port), address) if port else (key.hex(), address)


def near(target: str, known: Collection[str]) -> list[str]:
    """Of all targets that checks belong to, those that somebody may mean who says ``target``: of
    the same address, or written like it; some others where there are none."""
    address = target.rpartition(":")[0] or target
    spelled = [one for one in sorted(known) if not re.fullmatch(r"[0-9a-f]{32}", one)]
    same = [one for one in spelled if address in (one, one.rpartition(":")[0])]
    alike = difflib.get_close_matches(target, spelled, _NEAR)
    return (list(dict.fromkeys([*same, *alike])) or spelled)[:_NEAR]


def force_of(check: Check, key: bytes, forced: Mapping[str, Force]) -> Force | None:
    """What counts for a check, if anything was said of it."""
    if not forced:
        return None
    return next((forced[one] for one in targets_of(check, key) if one in forced), None)


def within(target: str, forced: Mapping[str, Force]) -> list[str]:
    """The targets spoken of that ``target`` is or contains: an address has all its ports."""
    prefix = _with_port(target, 0)[:-1]
    return [one for one in forced if one == target or one.startswith(prefix)]


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
