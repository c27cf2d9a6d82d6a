"""What the commands of keys take, and how they name what they do in the audit log."""

from __future__ import annotations

import re
import shlex
import time
from typing import Any, Final

import click

from lzc.cli.options import ReadParam
from lzc.cli.zone_names import complete_zones
from lzc.config import Config
from lzc.config.durations import parse_duration
from lzc.dnssec import algorithms
from lzc.dnssec.key import KSK_FLAGS, ZSK_FLAGS
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.life.moments import parse_moment
from lzc.dnssec.token import uri
from lzc.serve.worker.token_thread import TokenThread
from lzc.wire import name as wire_name

TOKEN_SECONDS: Final = 120.0
"""That a command waits for a token at a time: small ones take a minute to make a key of RSA."""


def keystore_of(settings: Config) -> Keystore:
    """The keystore of a project, for a command that may do something in a token."""
    return Keystore.of(settings, TokenThread(TOKEN_SECONDS, rest=0.0))


def _read_zone(text: str) -> bytes:
    try:
        return wire_name.from_text(text, wire_name.ROOT).lower()
    except wire_name.InvalidName as error:
        raise ValueError(f"{text!r} is not a domain name: {error}") from error


def _read_number(text: str) -> tuple[int | None, int]:
    """A key tag, with or without its algorithm in front, as in the names of key files."""
    found = re.fullmatch(r"(?:(\d{1,3})\+)?(\d{1,5})", text)
    if found is None or int(found[2]) > 65535:
        raise ValueError(f"{text!r} is not a key tag, such as 4711 or 013+04711")
    return (int(found[1]) if found[1] else None), int(found[2])


def _read_moment(text: str) -> tuple[int | None]:
    # In a tuple, as click takes None for an option that was not given.
    return (parse_moment(text, time.time()),)


ZONE: Final = ReadParam("zone", _read_zone)
NUMBER: Final = ReadParam("tag", _read_number)
MOMENT: Final = ReadParam("time", _read_moment)
DURATION: Final = ReadParam("duration", parse_duration)
TOKEN: Final = ReadParam("uri", uri.parse)
ALGORITHM: Final = ReadParam("algorithm", algorithms.from_text)

zone_argument = click.argument(
    "zone", type=ZONE, shell_complete=complete_zones, help="The name of the zone."
)
optional_zone = click.argument(
    "zone", type=ZONE, required=False, shell_complete=complete_zones, help="A zone; else all."
)
ksk_option = click.option(
    "--ksk", "flags", flag_value=KSK_FLAGS, type=int, help="A KSK (or CSK), flags 257."
)
zsk_option = click.option(
    "--zsk", "flags", flag_value=ZSK_FLAGS, type=int, help="A ZSK, flags 256."
)


def shell_name(zone: bytes) -> str:
    """The name of a zone as a word of a command."""
    return wire_name.to_text(zone).rstrip(".") or "."


def told(verb: str, zone: bytes | None, *words: Any) -> str:
    """A command of keys as the audit log has it; words that are `None` are left out."""
    zones = [] if zone is None else [shell_name(zone)]
    found = ["lzc", "keys", verb, *zones, *(str(word) for word in words if word is not None)]
    return shlex.join(found)
