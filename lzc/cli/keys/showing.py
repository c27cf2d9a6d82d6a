"""``lzc keys list``, ``show``, ``status`` and ``ds``: what keys there are, and what they do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from lzc import config
from lzc.cli.keys.arguments import NUMBER, optional_zone, shell_name, zone_argument
from lzc.cli.keys.missing import no_keys
from lzc.cli.keys.rows import AnyKey, describe, show, state, table
from lzc.cli.options import config_option, format_option
from lzc.cli.screen import echo, echo_json
from lzc.dnssec import ds, sync_records
from lzc.dnssec.key import ForeignKey, SigningKey
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.keystore.stepping import Number, find
from lzc.dnssec.life.moments import shown
from lzc.dnssec.life.outlook import outlook, span, when
from lzc.dnssec.life.phases import Intervals, life
from lzc.dnssec.signing.signer import roles
from lzc.faults import InputError
from lzc.wire import name as wire_name

_DATES = (
    *("created", "publish", "activate", "revoke", "inactive", "delete"),
    *("ds_publish", "sync_publish", "sync_delete", "ds_delete"),
)


@click.command("list")
@config_option
@optional_zone
@format_option
def list_keys(config_path: Path, zone: bytes | None, output_format: str) -> None:
    """List the keys of ZONE, or of all zones: role, state and DS."""
    keystore = Keystore.of(config.load(config_path))
    zones = keystore.zones() if zone is None else [zone]
    now = time.time()
    keys = [key for each in zones for key in _keys(keystore, each, now)]
    show(keys, keys, now, output_format)


def _keys(keystore: Keystore, zone: bytes, now: float) -> list[AnyKey]:
    """All keys of a zone, as their DNSKEYs are now."""
    return [*(key.at(now) for key in keystore.load(zone)), *keystore.foreign(zone)]


@click.command("show")
@config_option
@zone_argument
@click.argument("number", metavar="TAG", type=NUMBER, help="A key tag, such as 4711.")
@format_option
def show_key(config_path: Path, zone: bytes, number: Number, output_format: str) -> None:
    """Show all that is public of a key: records, dates, files."""
    settings = config.load(config_path)
    keystore = Keystore.of(settings)
    now = time.time()
    keys = _keys(keystore, zone, now)
    key = find(keystore, zone, keys, number, now)
    document = _details(keystore, key, keys, now, _intervals(settings, zone))
    if output_format == "json":
        echo_json(document)
        return
    echo(f"{document['zone']} key {key.tag}, {document['algorithm']}, {document['role']}")
    echo(f"  state   {document['state']}: {document['does']}")
    for record in ("dnskey", "ds", "cds", "cdnskey"):
        lines = document[record]
        for text in [lines] if isinstance(lines, str) else lines:
            echo(f"  {record:<7} {text}")
    for name, moment in document["dates"].items():
        title = name.title().replace("_", "").replace("Ds", "DS")
        echo(f"  {title + ':':<13} {moment}  ({_relative(getattr(key.timing, name), now)})")
    if document["bind"]:
        echo(f"  BIND's dnssec-policy looks after it: {document['bind']}")
    if document["token"]:
        echo(f"  token   {document['token']}")
    for file in document["files"]:
        echo(f"  file    {file}")


def _relative(moment: int, now: float) -> str:
    return f"in {span(moment - now)}" if moment > now else f"{span(now - moment)} ago"


def _intervals(settings: config.Config, zone: bytes) -> Intervals:
    return Intervals.of(settings.key_policy(shell_name(zone)))


def _details(
    keystore: Keystore, key: AnyKey, keys: Sequence[AnyKey], now: float, intervals: Intervals
) -> dict[str, Any]:
    """All that is public of a key."""
    own = [one for one in keys if isinstance(one, SigningKey)]
    zone = wire_name.to_text(key.zone)
    digests = tuple(ds.DIGESTS.values())
    every = [ds.ds_rdata(key.zone, key.dnskey, digest) for digest in digests]
    known = keystore.state(key) if isinstance(key, SigningKey) else None
    phase = life(key.timing, now, intervals, is_sep=key.is_sep)
    files = keystore.files_of(key)
    return {
        **describe(key, keys, now),
        "phase": str(phase.phase),
        "does": _does(key, own, now),
        "dnskey": sync_records.dnskey_text(zone, key.dnskey),
        "ds": [ds.to_text(key.zone, one) for one in every] if key.is_sep else [],
        "cds": [sync_records.cds_text(zone, one) for one in every] if key.is_sep else [],
        "cdnskey": sync_records.dnskey_text(zone, key.dnskey, "CDNSKEY") if key.is_sep else [],
        "dates": {
            name: shown(moment)
            for name in _DATES
            if (moment := getattr(key.timing, name)) is not None
        },
        "bind": None
        if known is None
        else f"goal {known.goal}, DNSKEY {known.dnskey}, zone signatures {known.zrrsig},"
        f" DNSKEY signatures {known.krrsig}, DS {known.ds}",
        "predecessor": key.predecessor if isinstance(key, SigningKey) else None,
        "successor": key.successor if isinstance(key, SigningKey) else None,
        "files": [str(file) for file in files],
    }


def _does(key: AnyKey, own: Sequence[SigningKey], now: float) -> str:
    """What a key does now, in words."""
    if isinstance(key, ForeignKey):
        is_there = key.timing.is_published(now)
        return "of another operator; " + ("in the zone" if is_there else "not in the zone")
    signing = roles([one for one in own if one.timing.is_published(now)], now)
    signs_data = key.dnskey in {one.dnskey for one in signing.data}
    signs_keys = key.dnskey in {one.dnskey for one in signing.keys}
    if signs_data and signs_keys:
        return "signs everything"
    if signs_data:
        return "signs all but DNSKEY"
    if signs_keys:
        return "signs DNSKEY, CDS and CDNSKEY"
    return "in the zone, signs nothing" if key.timing.is_published(now) else "not in the zone"


@click.command("status")
@config_option
@optional_zone
@format_option
def show_status(config_path: Path, zone: bytes | None, output_format: str) -> None:
    """Show what each key does now, and what comes next, and when."""
    settings = config.load(config_path)
    keystore = Keystore.of(settings)
    now = time.time()
    zones = keystore.zones() if zone is None else [zone]
    found = [_zone_status(keystore, each, now, _intervals(settings, each)) for each in zones]
    if output_format == "json":
        echo_json(found)
        return
    for one in found:
        echo(f"{one['zone']}")
        rows = [
            (str(key["tag"]), key["algorithm"], key["role"], key["phase"], key["does"], key["next"])
            for key in one["keys"]
        ]
        if rows:
            header = ("TAG", "ALGORITHM", "ROLE", "PHASE", "DOES", "NEXT")
            table([("", *header), *(("", *row) for row in rows)])
        for warning in one["warnings"]:
            echo(f"  warning: {warning}")


def _zone_status(
    keystore: Keystore, zone: bytes, now: float, intervals: Intervals
) -> dict[str, Any]:
    keys = _keys(keystore, zone, now)
    own = [key for key in keys if isinstance(key, SigningKey)]
    name = wire_name.to_text(zone)
    rows = []
    for key in keys:
        found = life(key.timing, now, intervals, is_sep=key.is_sep)
        upcoming = "" if found.at is None else f"{found.upcoming} {_in(found.at, now)}"
        rows.append(
            {
                **describe(key, keys, now),
                "phase": "foreign" if state(key, now) == "foreign" else str(found.phase),
                "does": _does(key, own, now),
                "next": upcoming,
                "next_phase": None if found.upcoming is None else str(found.upcoming),
                "next_at": None if found.at is None else shown(found.at),
            }
        )
    return {"zone": name, "keys": rows, "warnings": _warnings(keystore, name, own, now, intervals)}


def _in(moment: float, now: float) -> str:
    return f"{when(moment)} (in {span(moment - now)})"


def _in_the_clear(keystore: Keystore, own: Sequence[SigningKey]) -> list[str]:
    """A warning of private keys that are not sealed, where lzc.toml says with what."""
    if keystore.secret() is None:
        return []
    tags = [str(key.tag) for key in own if not keystore.is_sealed(key)]
    return [f"the private key of {', '.join(tags)} is in the clear"] if tags else []


def _warnings(
    keystore: Keystore,
    name: str,
    own: Sequence[SigningKey],
    now: float,
    intervals: Intervals,
) -> list[str]:
    """What is, or will be, wrong with the keys of a zone."""
    published = [key for key in own if key.timing.is_published(now)]
    others = [key for key in own if not key.timing.is_published(now)]
    found = []
    ends = outlook(published, others, now) if own else None
    if ends is not None:
        found.append(f"{name} {ends.why}".replace(" is not in the bundle", " is not published yet"))
    found += _in_the_clear(keystore, own)
    for key in own:
        due = life(key.timing, now, intervals, is_sep=key.is_sep)
        if str(due.phase) == "dead":
            found.append(f"key {key.tag} is of no use any more, and may be removed")
    return found


@click.command("ds")
@config_option
@zone_argument
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
    keystore = Keystore.of(config.load(config_path))
    published = keystore.published(zone, time.time())
    keys = [key for key in published if key.is_sep]
    keys = keys or [key for key in published if not key.is_revoked]
    if not keys:
        raise InputError(no_keys(keystore, zone, config_path))
    lines = [
        ds.to_text(zone, ds.ds_rdata(zone, key.dnskey, ds.DIGESTS[digest]))
        for key in keys
        for digest in digests
    ]
    if output_format == "json":
        echo_json(lines)
    else:
        echo("\n".join(lines))
