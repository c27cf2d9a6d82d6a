"""``lzc keys``: the DNSSEC keys of the project's keystore, from making them to taking them out.

Private keys only ever go into files, never to the terminal.
"""

from __future__ import annotations

import click

from lzc.cli.keys.making import generate
from lzc.cli.keys.moving import export_keys, import_key
from lzc.cli.keys.sealing import decrypt_keys, encrypt_keys
from lzc.cli.keys.showing import list_keys, show_ds, show_key, show_status
from lzc.cli.keys.steps import STEPS


@click.group("keys")
def command() -> None:
    """Make, show, change, import and export DNSSEC keys."""


for one in (
    *(generate, list_keys, show_key, show_status, show_ds),
    *STEPS,
    *(import_key, export_keys, encrypt_keys, decrypt_keys),
):
    command.add_command(one)
