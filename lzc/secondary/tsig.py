"""The TSIG keys that a secondary's zones are transferred with."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from lzc.config import Config, SecondarySection
from lzc.wire import name as wire_name


@dataclass(frozen=True, slots=True)
class TransferKey:
    """A TSIG key: its lower-case wire name, its name without final dot, its algorithm, and where
    its secret is, as people are told."""

    wire: bytes
    name: str
    algorithm: str
    where: str
    section: str
    """As the table of lzc.toml is called."""

    def secret(self, config: Config) -> str:
        """Its secret in base64. Raises `InputError`."""
        return base64.b64encode(config.tsig_secret(self.section)).decode()


def key_of(config: Config, section: SecondarySection) -> TransferKey | None:
    """The key of a secondary, if it has one."""
    if section.tsig is None:
        return None
    wire = wire_name.from_text(section.tsig, wire_name.ROOT).lower()
    for name, key in config.tsig.items():
        if wire_name.from_text(name, wire_name.ROOT).lower() == wire:
            text = wire_name.to_text(wire).rstrip(".")
            where = key.secret_file or "lzc.toml"
            return TransferKey(wire, text, key.algorithm, where, name)
    raise AssertionError("checked by `load`")
