"""``lzc verify``: is a bundle, to the last octet, what was built, and are its answers secure?"""

from __future__ import annotations

import time
from pathlib import Path

import click

from lzc import config
from lzc.bundle import current
from lzc.bundle.reader import Bundle
from lzc.bundle.unusable import usable
from lzc.cli.options import ReadParam, config_option, format_option
from lzc.cli.screen import echo, echo_json
from lzc.cli.zone_names import complete_zones
from lzc.config.sections import parse_endpoint
from lzc.faults import Fault, InputError, Place


def _read_moment(text: str) -> float:
    from lzc.rehearse.assumed import parse_moment

    return parse_moment(text)


@click.command("verify")
@click.argument(
    "folder",
    required=False,
    type=click.Path(path_type=Path),
    help="A bundle, or a folder of bundles (its live one).  [default: output of [build]]",
)
@config_option
@click.option(
    "--dnssec",
    is_flag=True,
    help="Ask for every name with every type, and for names that are not there, and verify each"
    " answer from the DS on: signatures, denials, times, algorithms.",
)
@click.option(
    "--server",
    type=ReadParam("address:port", parse_endpoint),
    metavar="ADDRESS:PORT",
    help="With --dnssec: ask this server, whatever its software, for the names of the bundle.",
)
@click.option(
    "--zone",
    "zones",
    multiple=True,
    shell_complete=complete_zones,
    metavar="ZONE",
    help="Only this zone; may be given several times. With --server it may be one that the bundle"
    " does not have: its names come by AXFR.",
)
@click.option(
    "--ds",
    "--trust-anchor",
    "anchors",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="DS or DNSKEY records to verify from.  [default: the DS of the keys in the keystore]",
)
@click.option("--tsig", metavar="KEY", help="The key of lzc.toml that --server wants for AXFR.")
@click.option(
    "--at",
    "moment",
    type=ReadParam("time", _read_moment),
    metavar="TIME",
    help="Verify as of another time: 2026-12-24T18:00 (UTC unless it says +01:00).",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of each zone, so many names by chance.  [default: all]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    metavar="N",
    help="Where the choice of --sample starts.",
)
@format_option
def command(
    folder: Path | None,
    config_path: Path,
    dnssec: bool,
    server: tuple[str, int] | None,
    zones: tuple[str, ...],
    anchors: Path | None,
    tsig: str | None,
    moment: float | None,
    sample: int | None,
    seed: int,
    output_format: str,
) -> None:
    """Hash every file of a bundle and compare with its manifest, whose hash is the bundle's id.

    Deltas for IXFR beside it are hashed, too, and those between bundles that are here applied: what
    was, and what changed, has to give what is. With --dnssec, verify its answers, too, or those of
    a running server. Exits with 1 when one of them is bogus.
    """
    if not dnssec:
        given = {
            "--server": server is not None,
            "--zone": bool(zones),
            "--ds": anchors is not None,
            "--tsig": tsig is not None,
            "--at": moment is not None,
            "--sample": sample is not None,
        }
        for option in (option for option, is_given in given.items() if is_given):
            raise click.UsageError(f"{option} is for --dnssec")
        _verify_octets(folder, config_path, output_format)
        return
    from lzc.cli.verify.dnssec import Wanted, verify

    wanted = Wanted(
        folder,
        config_path,
        server,
        zones,
        anchors,
        tsig,
        time.time() if moment is None else moment,
        moment is not None,
        sample,
        seed,
    )
    if not verify(wanted, output_format):
        click.get_current_context().exit(1)


def _verify_octets(folder: Path | None, config_path: Path, output_format: str) -> None:
    from lzc.compare import deltas

    where = folder if folder is not None else config.load(config_path).output
    with usable(where, config_path, given=folder is not None):
        path = current.locate(where) if folder is not None else current.live(where)
        with Bundle.open(path) as bundle:
            zones = len(bundle)
            identity = bundle.id
            octets = sum(entry.size for entry in bundle.manifest.files.values())
    found = deltas.verify(path.parent)
    if found.damage:
        raise InputError([_damaged(place, text) for place, text in found.damage])
    if output_format == "json":
        counts = {"files": found.files, "deltas": found.deltas, "followed": found.followed}
        echo_json({"id": identity, "zones": zones, "octets": octets, "ixfr": counts})
        return
    if found.deltas:
        echo(
            f"{found.deltas} delta(s) for IXFR, undamaged, of which {found.followed} lead from"
            " a bundle here to another"
        )
    echo(f"{zones} zone(s), {octets} octets, undamaged: {identity}")


def _damaged(place: Path, text: str) -> Fault:
    return Fault(
        Place(str(place)),
        "delta-damaged",
        text,
        "secondaries that would need it get whole zones instead; the bundle itself is undamaged",
        f"remove {place}, and find out what damages files here",
    )
