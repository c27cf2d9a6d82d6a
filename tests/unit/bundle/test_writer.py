"""Writing bundles: sizes that the store does not like, failures, health checks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import lmdb
import pytest

from lzc.bundle import current, manifest, writer
from lzc.bundle.reader import Bundle
from lzc.bundle.writer import CompiledZone
from lzc.health_check import Check
from tests.unit.compiling import compiled, write_bundle


def _write(output: Path, zone: CompiledZone, checks: list[Check]) -> str:
    with current.locked(output):
        return writer.write(output, [zone], checks, version="test", inputs={})


@pytest.mark.parametrize("size", [0, 1, 500, 1350, 2015, 2020, 2030, 2040, 4060, 4090, 8180, 62000])
def test_nodes_of_every_size_fit_the_store(tmp_path: Path, size: int) -> None:
    zone = compiled()
    count = 3 + 4_000_000 // (size + 300)
    items = [
        *zone.items,
        *[(b"\x00\x00\x00\x00x%07d" % number, bytes(size)) for number in range(count)],
    ]
    _write(tmp_path, CompiledZone(zone.info, items, zone.messages), [])
    with Bundle.open(tmp_path / "current") as bundle:
        view = bundle.zone(zone.info.apex)
        assert view is not None
        assert sum(1 for _ in view.nodes()) == len(items)
        assert view.node(b"x0000001") == bytes(size)


def test_the_store_holds_little_more_than_its_data(tmp_path: Path) -> None:
    zone = compiled("".join(f"h{number} A 192.0.2.1\n" for number in range(20_000)))
    data = sum(len(key) + len(node) for key, node in zone.items)
    identity = _write(tmp_path, zone, [])
    assert (tmp_path / identity / manifest.zones_file(0)).stat().st_size < 1.5 * data


def test_a_full_disk_leaves_the_live_bundle_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_bundle(tmp_path, {"example.org": ""})
    opened = lmdb.open

    def on_a_small_disk(path: bytes, **options: Any) -> lmdb.Environment:
        return opened(path, **options | {"map_size": 16384})

    monkeypatch.setattr(lmdb, "open", on_a_small_disk)
    with pytest.raises(OSError, match=manifest.zones_file(0)):
        write_bundle(tmp_path, {"example.org": "".join(f"h{n} A 192.0.2.1\n" for n in range(2000))})
    assert current.live(tmp_path).name == before
    assert {path.name for path in tmp_path.iterdir()} == {before, "current", ".lock", ".verified"}


def test_health_checks_are_kept_once_and_in_a_fixed_order(tmp_path: Path) -> None:
    checks = [
        Check("192.0.2.1", 443),
        Check("192.0.2.1", url="https://a/"),
        Check("2001:db8::1", 80),
    ]
    first = _write(tmp_path / "a", compiled(), checks)
    second = _write(tmp_path / "b", compiled(), [*reversed(checks), *checks])
    assert first == second
    with Bundle.open(tmp_path / "a" / "current") as bundle:
        assert set(bundle.checks) == set(checks)
        assert len(bundle.checks) == 3


def test_the_manifest_says_what_built_it_and_never_when(tmp_path: Path) -> None:
    identity = _write(tmp_path, compiled(), [])
    document = json.loads((tmp_path / identity / manifest.MANIFEST).read_text())
    assert set(document) == {"files", "format", "inputs", "lzc"}
    assert set(document["files"]) == {manifest.CHECKS, *manifest.shard_files(0)}
    assert document["lzc"] == "test"


def test_a_damaged_bundle_of_the_same_id_is_replaced(tmp_path: Path) -> None:
    zone = compiled()
    identity = _write(tmp_path, zone, [])
    (tmp_path / identity / manifest.CHECKS).write_text("damage")
    assert _write(tmp_path, zone, []) == identity
    Bundle.open(tmp_path / identity).close()
    with current.locked(tmp_path):
        assert not list(tmp_path.glob(".build-*"))


def test_transfers_of_several_zones_lie_one_behind_the_other(tmp_path: Path) -> None:
    zones = [
        compiled("a A 192.0.2.1\n", "example.com", 0),
        compiled("b TXT hello\n", "example.org", 1),
    ]
    with current.locked(tmp_path):
        writer.write(tmp_path, zones, [], version="test", inputs={})
    with Bundle.open(tmp_path / "current") as bundle:
        offset = 0
        for zone in zones:
            view = bundle.zone(zone.info.apex)
            assert view is not None
            assert view.info == replace(zone.info, transfer_offset=offset)
            assert bytes(bundle.transfer(view)) == b"".join(zone.messages)
            offset += zone.info.transfer_length
