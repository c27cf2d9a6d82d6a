"""``lzc keys import`` and ``export``: keys from other servers, and for them."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import click

from lzc import config
from lzc.cli.keys.arguments import (
    ALGORITHM,
    TOKEN,
    keystore_of,
    ksk_option,
    shell_name,
    told,
    zone_argument,
    zsk_option,
)
from lzc.cli.keys.missing import no_keys
from lzc.cli.keys.rows import show
from lzc.cli.options import config_option, format_option
from lzc.cli.screen import echo
from lzc.compiler.inputs.denial import denial_of
from lzc.config import SyncSettings
from lzc.dnssec.key import SigningKey
from lzc.dnssec.keystore import exporting, importing
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.keystore.multi_signer import take_over
from lzc.dnssec.signing.denial import Denial, Way
from lzc.dnssec.token.uri import TokenUri
from lzc.faults import InputError


@click.command("import")
@config_option
@zone_argument
@click.argument(
    "file",
    type=click.Path(path_type=Path),
    required=False,
    help="A .private file of BIND, what pdnsutil export-zone-key printed, or a key in PEM.",
)
@ksk_option
@zsk_option
@click.option(
    "--algorithm",
    type=ALGORITHM,
    metavar="NAME|NUMBER",
    help="Of an RSA key in PEM, or a key in a token.",
)
@click.option(
    "--public",
    is_flag=True,
    help="FILE has DNSKEY, CDS and CDNSKEY records of another operator of the zone (RFC 8901).",
)
@click.option(
    "--pkcs11",
    "token",
    type=TOKEN,
    metavar="URI",
    help="Instead of FILE: a key that lies in a token, and stays there (RFC 7512).",
)
@format_option
def import_key(
    config_path: Path,
    zone: bytes,
    file: Path | None,
    flags: int | None,
    algorithm: int | None,
    public: bool,
    token: TokenUri | None,
    output_format: str,
) -> None:
    """Copy a key of ZONE into the keystore.

    Its dates are kept; under BIND's dnssec-policy it goes by its .state file. Without any the key
    is active now.
    """
    keystore = keystore_of(config.load(config_path))
    now = time.time()
    if (file is None) == (token is None):
        raise click.UsageError("either FILE or --pkcs11 says which key it is")
    if file is None:
        assert token is not None
        if public or flags is None or algorithm is None:
            raise click.UsageError("--pkcs11 goes with --algorithm, and --ksk (or CSK) or --zsk")
        key = importing.of_token(token, zone, now, flags, algorithm, keystore.tokens)
        keystore.add(key, now, told("import", zone, f"--pkcs11={token}"))
        show([key], keystore.load(zone), now, output_format)
        return
    if public:
        if flags is not None or algorithm is not None:
            raise click.UsageError("--public takes records as they are, flags and algorithm too")
        over = take_over(keystore, zone, [file], now, told("import", zone, file, "--public"))
        show(over.keys, over.keys, now, output_format)
        echo(f"lzc: {over.records} CDS and CDNSKEY records are kept", err=True)
        return
    found = importing.read(file, zone, now, flags, algorithm, keystore.tokens)
    keystore.add(found.key, now, told("import", zone, file))
    show([found.key], keystore.load(zone), now, output_format)
    for note in found.notes:
        echo(f"lzc: key {found.key.tag}: {note}", err=True)


@click.command("export")
@config_option
@zone_argument
@click.option(
    "--format",
    "layout",
    type=click.Choice(["bind", "powerdns", "pem"]),
    default="bind",
    help="powerdns: only keys in use, and the pdnsutil commands that import them.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Where the files go; made for you alone where it does not exist.",
)
def export_keys(config_path: Path, zone: bytes, layout: str, folder: Path) -> None:
    """Copy the keys of ZONE for another server.

    Private keys are among them: move the folder there, and delete it here.
    """
    settings = config.load(config_path)
    keystore = Keystore.of(settings)
    now = time.time()
    keys = [key.at(now) for key in keystore.load(zone)]
    if layout == "powerdns":
        # PowerDNS knows no revoked keys.
        keys = [key for key in keys if key.timing.is_published(now) and not key.is_revoked]
    if not keys:
        raise InputError(no_keys(keystore, zone, config_path))
    if layout == "powerdns":
        for key in keys:
            if key.token is not None:
                raise exporting.stays(key)
    files = keystore.export_pem(keys, folder) if layout == "pem" else keystore.export(keys, folder)
    for key, file in zip(keys, files, strict=True):
        echo(_pdnsutil(key, file, now) if layout == "powerdns" else str(file))
    if layout == "powerdns":
        for command in _sync_commands(settings.sync_records(shell_name(zone)), zone):
            echo(command)
        denial = denial_of(settings, shell_name(zone))
        if denial.is_hashed:
            echo(_set_nsec3(zone, denial))
    for key in keys:
        if key.token is not None:
            echo(f"lzc: key {key.tag} stays in its token: its files say where it is", err=True)
    if not all(key.token for key in keys):
        echo(f"lzc: {folder} now holds private keys; move it over a safe way", err=True)


def _sync_commands(wanted: SyncSettings, zone: bytes) -> Iterator[str]:
    """The commands that have PowerDNS make the same CDS and CDNSKEY, which no transfer carries."""
    name = shell_name(zone)
    if wanted.digests:
        digests = "0" if wanted.delete else ",".join(map(str, wanted.digests))
        yield shlex.join(["pdnsutil", "set-publish-cds", name, digests])
    if wanted.cdnskey:
        delete = ["delete"] if wanted.delete else []
        yield shlex.join(["pdnsutil", "set-publish-cdnskey", name, *delete])


def _set_nsec3(zone: bytes, denial: Denial) -> str:
    """The same denial of existence there. Versions from 5.1 on know this verb, too."""
    narrow = ["narrow"] if denial.way is Way.NARROW else []
    return shlex.join(["pdnsutil", "set-nsec3", shell_name(zone), denial.parameters, *narrow])


def _pdnsutil(key: SigningKey, file: Path, now: float) -> str:
    zone = shell_name(key.zone)
    kind = "ksk" if key.is_sep else "zsk"
    state = "active" if key.timing.is_active(now) else "inactive"
    return shlex.join(["pdnsutil", "import-zone-key", zone, str(file), kind, state])
