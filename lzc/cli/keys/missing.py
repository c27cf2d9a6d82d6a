"""What is said where a zone has no key that a command could use."""

from __future__ import annotations

import shlex
from pathlib import Path

from lzc.cli.keys.arguments import shell_name
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import Fault, Place
from lzc.wire import name as wire_name


def no_keys(keystore: Keystore, zone: bytes, config_path: Path) -> Fault:
    """The fault of a zone without keys, or with none in use."""
    name = wire_name.to_text(zone)
    generate = shlex.join(["lzc", "keys", "generate", "-c", str(config_path), shell_name(zone)])
    usable = [str(key.tag) for key in keystore.load(zone) if not key.is_revoked]
    words = ["lzc", "keys", "activate", "-c", str(config_path), shell_name(zone)]
    again = f"; or have one sign again: {shlex.join([*words, *usable])}" if usable else ""
    return Fault(
        Place(str(keystore.path)),
        "zone-without-keys",
        f"{name} has no key that is in use",
        fix=f"{generate}{again}",
    )
