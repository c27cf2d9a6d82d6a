"""``lzc keys encrypt`` and ``decrypt``: private keys sealed at rest, or in the clear."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import click

from lzc import config
from lzc.cli.keys.arguments import optional_zone, told
from lzc.cli.options import config_option, format_option
from lzc.cli.screen import echo, echo_json
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import InputError
from lzc.wire import name as wire_name


@click.command("encrypt")
@config_option
@optional_zone
@format_option
def encrypt_keys(config_path: Path, zone: bytes | None, output_format: str) -> None:
    """Seal the private keys of ZONE, or of all zones.

    lzc.toml names the passphrase or the key. New and imported keys are sealed without this.
    """
    keystore = Keystore.of(config.load(config_path))
    if keystore.secret() is None:
        raise InputError.at(
            config_path,
            "keystore-secret",
            "nothing seals private keys here",
            why="lzc has to open them again",
            fix="name a file in [dnssec]: keystore-passphrase-file or keystore-key-file",
        )
    _show(_convert(keystore, zone, "encrypt", sealed=True), "sealed", output_format)


@click.command("decrypt")
@config_option
@optional_zone
@format_option
def decrypt_keys(config_path: Path, zone: bytes | None, output_format: str) -> None:
    """Put the private keys of ZONE, or of all zones, into the clear.

    To seal them with another secret, do this, change lzc.toml, and encrypt them.
    """
    keystore = Keystore.of(config.load(config_path))
    _show(_convert(keystore, zone, "decrypt", sealed=False), "in the clear", output_format)


def _convert(
    keystore: Keystore, zone: bytes | None, verb: str, *, sealed: bool
) -> dict[str, list[int]]:
    """What is sealed or opened, in one step: tags by zone."""
    done: dict[str, list[int]] = {}
    with keystore.changing(time.time(), told(verb, zone)) as change:
        for each in keystore.zones() if zone is None else [zone]:
            tags = keystore.seal(change, each, sealed=sealed)
            if tags:
                name = wire_name.to_text(each)
                change.tell(name, tags, "sealed" if sealed else "put into the clear")
                done[name] = tags
    return done


def _show(done: Mapping[str, list[int]], what: str, output_format: str) -> None:
    if output_format == "json":
        echo_json([{"zone": zone, "tags": tags} for zone, tags in done.items()])
        return
    for zone, tags in done.items():
        echo(f"{zone} {', '.join(map(str, tags))}")
    count = sum(map(len, done.values()))
    echo(f"lzc: {count} private keys are {what} now", err=True)
