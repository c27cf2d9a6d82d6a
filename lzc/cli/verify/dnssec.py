"""``lzc verify --dnssec``: what is asked of whom, and how it went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import click
import dns.name
import dns.tsig
from dns.rdtypes.ANY.DS import DS

from lzc import config as settings
from lzc.bundle import current
from lzc.bundle.reader import Bundle
from lzc.bundle.unusable import usable
from lzc.bundle.zone_info import ZoneInfo
from lzc.cli.progress import progress_bar
from lzc.cli.screen import echo, echo_json
from lzc.cli.verify import report
from lzc.config import Config
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import Fault, InputError, Place
from lzc.rehearse.survey import anchors as trust
from lzc.rehearse.survey.questions import KnownName, of_view
from lzc.rehearse.survey.survey import (
    MakeAsker,
    SurveyedZone,
    bundle_asker,
    sample,
    server_asker,
    survey,
)
from lzc.rehearse.survey.transferred import NoTransfer, names_by_transfer
from lzc.wire import name as wire_name

_PLAIN: Final = "a zone that is not signed has nothing that could be verified"


class Wanted(NamedTuple):
    """What was said on the command line; ``now`` in seconds since the epoch, ``clock_set`` when it
    was given."""

    folder: Path | None
    config_path: Path
    server: tuple[str, int] | None
    zones: tuple[str, ...]
    anchors: Path | None
    tsig: str | None
    now: float
    clock_set: bool
    sample: int | None
    seed: int


def verify(wanted: Wanted, output_format: str) -> bool:
    """Verify the answers of a bundle or of a server, and print how it went. False when one is
    bogus. Raises `InputError`."""
    config = _config(wanted)
    asked = _asked_zones(wanted)
    with _bundle(wanted, config, asked) as bundle:
        known = {} if bundle is None else {info.apex: info for info in bundle.zones()}
        given = trust.from_file(wanted.anchors) if wanted.anchors is not None else {}
        zones, anchors = _chosen(wanted, config, bundle, known, given, asked)
        unsigned = frozenset(
            trust.name_of(apex)
            for apex, info in known.items()
            if not info.signed and trust.name_of(apex) not in anchors
        )
        with progress_bar("names") as progress:
            survey(
                zones,
                _make_asker(wanted, config, bundle),
                anchors,
                unsigned,
                wanted.now,
                config,
                progress,
                for_any=wanted.server is None,
            )
        identity = None if bundle is None else bundle.id
    own = sorted(
        wire_name.to_text(zone.apex)
        for zone in zones
        if wanted.anchors is None and zone.apex in known and known[zone.apex].presigned
    )
    plain = sorted(str(name) for name in unsigned) if not asked else []
    if output_format == "json":
        echo_json(report.as_dict(zones, plain, own, identity, wanted.server, wanted.now))
    else:
        echo(report.as_text(zones, plain, own, identity, wanted.server, wanted.now))
    return not any(zone.findings.bogus for zone in zones)


def _config(wanted: Wanted) -> Config | None:
    """The settings; none are needed for a server whose zones and trust anchors are given."""
    enough = wanted.server is not None and wanted.zones and wanted.anchors is not None
    if enough and not wanted.tsig and not wanted.config_path.exists():
        return None
    return settings.load(wanted.config_path)


def _asked_zones(wanted: Wanted) -> list[bytes]:
    found = []
    for text in wanted.zones:
        try:
            found.append(wire_name.from_text(text, wire_name.ROOT).lower())
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--zone") from error
    return list(dict.fromkeys(found))


@contextmanager
def _bundle(
    wanted: Wanted, config: Config | None, asked: Sequence[bytes]
) -> Iterator[Bundle | None]:
    """The bundle; `None` where there is no need for one, and none."""
    where = wanted.folder if wanted.folder is not None or config is None else config.output
    if where is None:
        yield None
        return
    given = wanted.folder is not None
    if wanted.server is not None and asked and not given and not (where / current.CURRENT).exists():
        yield None
        return
    with usable(where, wanted.config_path, given=given):
        path = current.locate(where) if given else current.live(where)
        with Bundle.open(path) as bundle:
            yield bundle


def _chosen(
    wanted: Wanted,
    config: Config | None,
    bundle: Bundle | None,
    known: dict[bytes, ZoneInfo],
    given: trust.Anchors,
    asked: Sequence[bytes],
) -> tuple[list[SurveyedZone], trust.Anchors]:
    """The zones to look at, and the trust anchors of all that there are for them and of those that
    their aliases may lead to."""
    signed = [info for info in known.values() if info.signed]
    if not asked:
        chosen = [info.apex for info in known.values() if _is_to_verify(info, given)]
        if not chosen:
            place = Place(str(bundle.path if bundle is not None else wanted.config_path))
            fix = "name a zone with --zone, and its DS with --ds"
            raise InputError([Fault(place, "nothing-signed", "no zone is signed", _PLAIN, fix)])
    else:
        chosen = list(asked)
    anchors = dict(given)
    if wanted.anchors is None and config is not None:
        keystore = Keystore.of(config)
        wanted_infos = [info for info in signed if info.apex in chosen]
        anchors |= trust.from_keystore(keystore, wanted_infos, wanted.now)
        anchors |= _others(
            keystore, [info for info in signed if info.apex not in chosen], wanted.now
        )
    faults = [
        _no_anchor(wanted, apex, known) for apex in chosen if trust.name_of(apex) not in anchors
    ]
    if faults:
        raise InputError(faults)
    return [_zone(wanted, config, bundle, apex) for apex in chosen], anchors


def _is_to_verify(info: ZoneInfo, given: trust.Anchors) -> bool:
    return info.signed if not given else trust.name_of(info.apex) in given


def _others(keystore: Keystore, infos: Iterable[ZoneInfo], now: float) -> trust.Anchors:
    """The anchors of zones that aliases may lead to, as far as there are any."""
    found: dict[dns.name.Name, tuple[DS, ...]] = {}
    for info in infos:
        try:
            found |= trust.from_keystore(keystore, [info], now)
        except InputError:
            continue
    return found


def _no_anchor(wanted: Wanted, apex: bytes, known: dict[bytes, ZoneInfo]) -> Fault:
    name = wire_name.to_text(apex)
    info = known.get(apex)
    if wanted.anchors is not None:
        what, why = f"{wanted.anchors} has no DS of {name}", ""
        fix = "add it, or leave the zone out"
    elif info is not None:
        what, why, fix = (
            f"zone {name} is not signed",
            _PLAIN,
            "give the DS of a signed one with --ds",
        )
    else:
        what, why = f"the bundle has no zone {name}, and no DS of it is given", ""
        fix = f"dig {name} DS > FILE, and --ds FILE"
    return Fault(
        Place(str(wanted.anchors or wanted.config_path)), "zone-without-ds", what, why, fix
    )


def _zone(
    wanted: Wanted, config: Config | None, bundle: Bundle | None, apex: bytes
) -> SurveyedZone:
    view = None if bundle is None else bundle.zone(apex)
    if view is not None:
        found = view
        count = view.info.records

        def names() -> Iterable[KnownName]:
            return of_view(found)
    else:
        transferred = _transferred(wanted, config, apex)
        count = len(transferred)

        def names() -> Iterable[KnownName]:
            return transferred

    most, seed = wanted.sample, wanted.seed
    if most is None:
        return SurveyedZone(apex, count, names)
    some = sample(names(), most, seed)
    return SurveyedZone(apex, len(some), lambda: some, sampled=len(some) == most)


def _transferred(wanted: Wanted, config: Config | None, apex: bytes) -> list[KnownName]:
    name = wire_name.to_text(apex)
    if wanted.server is None:
        raise click.BadParameter(f"the bundle has no zone {name}", param_hint="--zone")
    address, port = wanted.server
    try:
        return names_by_transfer(address, port, apex, _tsig_key(wanted, config))
    except NoTransfer as error:
        raise InputError.at(
            Place(f"{address}:{port}"),
            "no-names",
            f"the bundle has no zone {name}, and it cannot be transferred: {error}",
            "which names to ask for is not known",
            "let this host transfer it, with --tsig KEY if it takes a key, or name a zone of the"
            " bundle",
        ) from None


def _tsig_key(wanted: Wanted, config: Config | None) -> dns.tsig.Key | None:
    if wanted.tsig is None or config is None:
        return None
    name = wire_name.to_text(wire_name.from_text(wanted.tsig, wire_name.ROOT).lower())
    section = config.tsig.get(name)
    if section is None:
        known = ", ".join(config.tsig) or "none"
        raise click.BadParameter(f"lzc.toml has no such key; it has {known}", param_hint="--tsig")
    return dns.tsig.Key(name, config.tsig_secret(name), section.algorithm)


def _make_asker(wanted: Wanted, config: Config | None, bundle: Bundle | None) -> MakeAsker:
    if wanted.server is not None:
        return partial(server_asker, *wanted.server)
    assert config is not None
    assert bundle is not None
    return partial(bundle_asker, config, bundle.path, wanted.now, clock_set=wanted.clock_set)
