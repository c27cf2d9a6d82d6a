"""``lzc keys``: make, list, import and export the DNSSEC keys of the project's keystore.

Private keys only ever go into files, never to the terminal.
"""

from __future__ import annotations

import difflib
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from lzc import config
from lzc.cli.options import ReadParam, config_option, format_option
from lzc.cli.screen import echo, echo_json
from lzc.cli.zone_names import complete_zones
from lzc.compiler.inputs.denial import denial_of
from lzc.dnssec import algorithms, ds
from lzc.dnssec.denial import Denial, Way
from lzc.dnssec.key import KSK_FLAGS, ZSK_FLAGS, SigningKey, role
from lzc.dnssec.keystore import FLAGS, Keystore, base_name
from lzc.faults import Fault, InputError, Place, Severity
from lzc.wire import name as wire_name


def _read_zone(text: str) -> bytes:
    try:
        return wire_name.from_text(text, wire_name.ROOT).lower()
    except wire_name.InvalidName as error:
        raise ValueError(f"{text!r} is not a domain name: {error}") from error


_ZONE = ReadParam("zone", _read_zone)
_ALGORITHM = ReadParam("algorithm", algorithms.from_text)

_zone_argument = click.argument(
    "zone", type=_ZONE, shell_complete=complete_zones, help="The name of the zone."
)
_role_options = (
    click.option(
        "--ksk", "flags", flag_value=KSK_FLAGS, type=int, help="A KSK (or CSK), flags 257."
    ),
    click.option("--zsk", "flags", flag_value=ZSK_FLAGS, type=int, help="A ZSK, flags 256."),
)


@click.group("keys")
def command() -> None:
    """Make, list, import and export DNSSEC keys."""


@command.command()
@config_option
@_zone_argument
@click.option(
    "--algorithm",
    type=_ALGORITHM,
    metavar="NAME|NUMBER",
    help="RSASHA256, ECDSAP256SHA256, ECDSAP384SHA384 or ED25519. [default: of [dnssec]]",
)
@click.option(
    "--policy",
    type=click.Choice(sorted(FLAGS)),
    help="One key that does all, or a KSK and a ZSK. [default: of [dnssec]]",
)
@_role_options[0]
@_role_options[1]
@click.option(
    "--bits",
    type=click.IntRange(2048, 4096),
    default=algorithms.RSA_BITS,
    help="Length of an RSA modulus.",
)
@click.option("--add", is_flag=True, help="Make them although the zone has active keys.")
@format_option
def generate(
    config_path: Path,
    zone: bytes,
    algorithm: int | None,
    policy: str | None,
    flags: int | None,
    bits: int,
    add: bool,
    output_format: str,
) -> None:
    """Make new keys for ZONE, active now.

    These are a CSK, or a KSK and a ZSK, by policy; with --ksk or --zsk, that one key.
    """
    if flags is not None and policy is not None:
        raise click.UsageError("--policy makes all keys of a zone; --ksk and --zsk make one")
    settings = config.load(config_path)
    keystore = Keystore(settings.keystore)
    now = time.time()
    active = [key for key in keystore.load(zone) if key.timing.is_active(now)]
    if active and not add:
        raise InputError.at(
            keystore.path,
            "zone-has-keys",
            f"{wire_name.to_text(zone)} already has active keys: "
            + ", ".join(f"{key.tag} ({algorithms.to_text(key.algorithm)})" for key in active),
            why="one more key signs everything once more, and needs a DS at the parent",
            fix="add --add if that is what you want",
        )
    made = keystore.generate(
        zone,
        algorithm or settings.dnssec.algorithm,
        FLAGS[policy or settings.dnssec.policy] if flags is None else (flags,),
        now,
        bits=bits,
    )
    _show(made, keystore.load(zone), now, output_format)
    unused = _unused(settings, config_path, zone, made)
    if unused is not None:
        echo(str(unused), err=True)


def _unused(
    settings: config.Config, config_path: Path, zone: bytes, made: Sequence[SigningKey]
) -> Fault | None:
    """A warning where nothing signs with new keys: the zone may come later, or be misspelt."""
    from lzc.compiler.inputs.sources import ConfigFile, find

    file = ConfigFile.of(settings, config_path)
    zones, _ = find(settings, file)
    name = wire_name.to_text(zone)
    section = f'[zone."{name.rstrip(".") or "."}"]'
    source = next((one for one in zones if one.apex == zone), None)
    if source is not None and source.signed:
        return None
    if source is not None:
        problem, fix = f"zone {name} is not signed", f"set dnssec = true in {section}"
    else:
        near = difflib.get_close_matches(name, [one.name for one in zones], n=1)
        files = " ".join(
            shlex.quote(str(settings.keystore / f"{base_name(key)}.{kind}"))
            for key in made
            for kind in ("key", "private")
        )
        problem = f"the project has no zone {name}"
        problem += f"; did you mean {near[0]}" if near else ""
        fix = f"add the zone, with dnssec = true in {section}; or else: rm {files}"
    return Fault(
        file.place(section, "[build]"),
        "key-unused",
        f"{problem}: nothing uses the new key",
        fix=fix,
        severity=Severity.WARNING,
    )


@command.command("list")
@config_option
@click.argument(
    "zone", type=_ZONE, required=False, shell_complete=complete_zones, help="A zone; else all."
)
@format_option
def list_keys(config_path: Path, zone: bytes | None, output_format: str) -> None:
    """List the keys of ZONE, or of all zones: role, state and DS."""
    keystore = Keystore(config.load(config_path).keystore)
    zones = keystore.zones() if zone is None else [zone]
    keys = [key for each in zones for key in keystore.load(each)]
    _show(keys, keys, time.time(), output_format)


@command.command("ds")
@config_option
@_zone_argument
@click.option(
    "--digest",
    "digests",
    type=click.Choice(sorted(ds.DIGESTS)),
    multiple=True,
    default=("sha256",),
    help="May be given twice.",
)
@format_option
def show_ds(config_path: Path, zone: bytes, digests: Sequence[str], output_format: str) -> None:
    """Print the DS records that the parent of ZONE is to publish."""
    keystore = Keystore(config.load(config_path).keystore)
    published = keystore.published(zone, time.time())
    keys = [key for key in published if key.is_sep] or published
    if not keys:
        raise InputError(_no_keys(keystore, zone, config_path))
    lines = [
        ds.to_text(zone, ds.ds_rdata(zone, key.dnskey, ds.DIGESTS[digest]))
        for key in keys
        for digest in digests
    ]
    if output_format == "json":
        echo_json(lines)
    else:
        echo("\n".join(lines))


@command.command("import")
@config_option
@_zone_argument
@click.argument(
    "file",
    type=click.Path(path_type=Path),
    help="A .private file of dnssec-keygen, or what pdnsutil export-zone-key printed.",
)
@_role_options[0]
@_role_options[1]
@format_option
def import_key(
    config_path: Path, zone: bytes, file: Path, flags: int | None, output_format: str
) -> None:
    """Copy a key of ZONE into the keystore.

    Timing metadata is kept; without any the key is active now.
    """
    keystore = Keystore(config.load(config_path).keystore)
    now = time.time()
    key = keystore.import_file(zone, file, now, flags=flags)
    _show([key], keystore.load(zone), now, output_format)


@command.command("export")
@config_option
@_zone_argument
@click.option(
    "--format",
    "layout",
    type=click.Choice(["bind", "powerdns"]),
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
    keystore = Keystore(settings.keystore)
    now = time.time()
    keys = keystore.load(zone)
    if layout == "powerdns":
        keys = [key for key in keys if key.timing.is_published(now)]
    if not keys:
        raise InputError(_no_keys(keystore, zone, config_path))
    files = keystore.export(keys, folder)
    for key, file in zip(keys, files, strict=True):
        echo(_pdnsutil(key, file, now) if layout == "powerdns" else str(file))
    denial = denial_of(settings, wire_name.to_text(zone))
    if layout == "powerdns" and denial.is_hashed:
        echo(_set_nsec3(zone, denial))
    echo(f"lzc: {folder} now holds private keys; move it over a safe way", err=True)


def _pdnsutil(key: SigningKey, file: Path, now: float) -> str:
    zone = wire_name.to_text(key.zone).rstrip(".") or "."
    kind = "ksk" if key.is_sep else "zsk"
    state = "active" if key.timing.is_active(now) else "inactive"
    return shlex.join(["pdnsutil", "import-zone-key", zone, str(file), kind, state])


def _set_nsec3(zone: bytes, denial: Denial) -> str:
    """The same denial of existence there. Versions from 5.1 on know this verb, too."""
    name = wire_name.to_text(zone).rstrip(".") or "."
    narrow = ["narrow"] if denial.way is Way.NARROW else []
    return shlex.join(["pdnsutil", "set-nsec3", name, denial.parameters, *narrow])


def _no_keys(keystore: Keystore, zone: bytes, config_path: Path) -> Fault:
    name = wire_name.to_text(zone)
    generate = shlex.join(["lzc", "keys", "generate", "-c", str(config_path), name])
    return Fault(
        Place(str(keystore.path)),
        "zone-without-keys",
        f"{name} has no key that is in use",
        fix=f"{generate}, or give a key dates with dnssec-settime",
    )


def _show(
    keys: Sequence[SigningKey], siblings: Sequence[SigningKey], now: float, output_format: str
) -> None:
    rows = [_describe(key, siblings, now) for key in keys]
    if output_format == "json":
        echo_json(rows)
        return
    columns = {"zone": "ZONE", "tag": "TAG", "algorithm": "ALGORITHM", "role": "ROLE"}
    columns |= {"state": "STATE", "ds": "DS (SHA-256)"}
    table = [list(columns.values())]
    table += [[str(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[at]) for line in table) for at in range(len(columns))]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        echo("  ".join(cells).rstrip())


def _describe(key: SigningKey, siblings: Sequence[SigningKey], now: float) -> dict[str, Any]:
    record = ds.to_text(key.zone, ds.ds_rdata(key.zone, key.dnskey)).split(" DS ")[1]
    return {
        "zone": wire_name.to_text(key.zone),
        "tag": key.tag,
        "algorithm": algorithms.to_text(key.algorithm),
        "algorithm_number": key.algorithm,
        "role": role(key, [other for other in siblings if other.zone == key.zone]),
        "state": key.timing.state(now),
        "ds": record if key.is_sep else "",
        "file": f"{base_name(key)}.private",
    }
