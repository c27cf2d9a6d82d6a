"""Settings on their way from the supervisor to its children: of a configuration what these read, as
plain values that JSON can hold. Secrets are not among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lzc.config import Config

_SECTIONS: Final = ("serve", "lua", "health", "dnssec")


def document_of(config: Config) -> dict[str, Any]:
    """What `config_of` makes a configuration of again, as far as children need it: its sections,
    its secondaries, and of each zone whether LUA records run in it."""
    settings: dict[str, Any] = {name: getattr(config, name).document() for name in _SECTIONS}
    settings["secondary"] = [one.document() for one in config.secondary]
    settings["zone"] = {
        name: {"lua": section.lua}
        for name, section in config.zone.items()
        if section.lua is not None
    }
    return {"folder": str(config.folder), "file": str(config.file), "settings": settings}


def config_of(document: dict[str, Any]) -> Config:
    """The configuration that `document_of` had. Raises `lzc.config.table.ValidationError`."""
    folder, file = Path(document["folder"]), Path(document["file"])
    return Config.read(document["settings"], folder=folder, file=file)
