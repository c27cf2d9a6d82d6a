"""Which deltas a build makes: of zones that change, whatever it builds of them and from whatever it
goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import dns.rdatatype

from lzc import config
from lzc.answer.transfer import TransferPlan, open_transfer
from lzc.answer.transfer_kinds import Kind
from lzc.bundle import current
from lzc.bundle.delta_store import DeltaStore
from lzc.bundle.reader import Bundle
from lzc.compiler import pipeline
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from tests.unit.answer.test_dnssec import csk
from tests.unit.answer.test_incremental import (
    APEX,
    HERE,
    OPEN,
    PADDING,
    ZONE,
    Secondary,
    World,
    opened,
    request,
    rows,
    whole,
)
from tests.unit.answer.test_incremental import NOW as BUILT
from tests.unit.answering import NOW
from tests.unit.compiling import wire
from tests.unit.presigned_text import presigned

FORMATS = Path(__file__).parent / "formats"
OTHER = "example.net"


def kind_of(bundle: Bundle, serial: int, name: str) -> Kind:
    plan = open_transfer(bundle, OPEN, {}, request(serial, name=name), HERE, NOW)
    assert isinstance(plan, TransferPlan)
    kind = plan.kind
    plan.close()
    return kind


def serial_of(bundle: Bundle, name: str) -> int:
    view = bundle.zone(wire(name))
    assert view is not None
    return view.info.serial


def test_a_build_of_one_zone_makes_its_delta_and_leaves_others_theirs(tmp_path: Path) -> None:
    world = World(tmp_path / "project")
    secondary = Secondary()
    world.write("a A 192.0.2.1\n", OTHER)
    world.build("a A 192.0.2.1\n")
    with world.opened() as bundle:
        secondary.refresh(bundle)
        first = serial_of(bundle, OTHER)
    world.write("a A 192.0.2.2\n", OTHER)
    world.build()
    # What the sources of the other say by now is not built, and no delta of it is made.
    world.write("a A 192.0.2.3\n", OTHER)
    for number in (2, 3):
        world.write(f"a A 192.0.2.{number}\n")
        world.now += 1
        pipeline.build(world.config, world.output, now=world.now, words=[ZONE])
    store = DeltaStore(world.output)
    assert [len(store.steps(apex)) for apex in (APEX, wire(OTHER))] == [2, 1]
    with world.opened() as bundle:
        assert serial_of(bundle, OTHER) == first + 1
        assert kind_of(bundle, first, OTHER) is Kind.IXFR
        assert secondary.refresh(bundle) is Kind.IXFR
        assert rows(secondary.zone) == whole(bundle)
    world.build()
    with world.opened() as bundle:
        assert kind_of(bundle, first, OTHER) is Kind.IXFR
        assert not bundle.deltas.problems


def test_over_a_bundle_of_an_older_format_deltas_begin_with_the_next_change(
    tmp_path: Path,
) -> None:
    for kind in ("1", "2", "3", "4"):
        folder = tmp_path / kind
        shutil.copytree(FORMATS / "zones", folder / "zones")
        shutil.copy(FORMATS / "lzc.toml", folder)
        shutil.copytree(FORMATS / kind, folder / "build", symlinks=True)
        made = 1_796_000_600.0
        Keystore(folder / "keys").generate(wire("signed.example"), 13, FLAGS["csk"], made)
        names = ("lua.example", "plain.example", "signed.example")
        serials = []
        for number in range(3):
            for name in names:
                path = folder / "zones" / f"{name}.zone"
                text = path.read_text() if number else path.read_text() + PADDING
                path.unlink()
                path.write_text(f"{text}new A 192.0.2.{number}\n")
            path = folder / "lzc.toml"
            now = made + 3600 + number
            result = pipeline.build(config.load(path), config_path=path, now=now)
            assert {one.rule for one in result.warnings} <= {"live-bundle-format"}
            with current.open_live(folder / "build") as bundle:
                serials.append([serial_of(bundle, name) for name in names])
        before = [[one - 1 for one in serials[0]], *serials[:2]]
        with current.open_live(folder / "build") as bundle:
            for given, expected in zip(before, (Kind.WHOLE, Kind.IXFR, Kind.IXFR), strict=True):
                kinds = {kind_of(bundle, *pair) for pair in zip(given, names, strict=True)}
                assert kinds == {expected}, (kind, given)
            assert not bundle.deltas.problems


def test_of_a_presigned_zone_signatures_and_denial_are_part_of_it(tmp_path: Path) -> None:
    key = csk("example.org.")
    head = "$TTL 60\n@ SOA ns1 hostmaster {serial} 7200 900 1209600 300\n@ NS ns1\n"
    secondary = Secondary()
    write: Callable[[str], object] = (tmp_path / "example.org.zone").write_text
    (tmp_path / "lzc.toml").write_text(
        f'[build]\nsources = ["*.zone"]\n[zone."{ZONE}"]\ndnssec = "presigned"\n'
    )
    kinds = []
    texts = ("a A 192.0.2.1\n", "a A 192.0.2.2\nb A 192.0.2.1\n", "b A 192.0.2.1\n")
    for number, text in enumerate(texts, 7):
        ns1 = "ns1 A 192.0.2.53\n"
        write(presigned(head.format(serial=number) + ns1 + PADDING + text, [key]))
        path = tmp_path / "lzc.toml"
        assert not pipeline.build(config.load(path), config_path=path, now=BUILT).warnings
        with current.open_live(tmp_path / "build") as bundle:
            kinds.append(secondary.refresh(bundle))
            assert secondary.serial == number
            assert rows(secondary.zone) == whole(bundle)
            if number == 8:
                # In one message, with what changed at the names around: NSEC and its signature.
                plan = opened(bundle, 7)
                (framed,) = [one for one in plan.messages() if one]
                plan.close()
                assert len(framed) < 2500
    assert kinds == [Kind.AXFR, Kind.IXFR, Kind.IXFR]
    types = {dns.rdatatype.to_text(rdata.rdtype) for _, _, rdata in secondary.zone.iterate_rdatas()}
    assert {"RRSIG", "NSEC", "DNSKEY"} <= types
