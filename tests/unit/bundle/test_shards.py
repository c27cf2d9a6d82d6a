"""Bundles of several shards: every zone is found, and a zone's shard depends on its name alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lzc.bundle import current, manifest, reader, shards, verification
from lzc.bundle.reader import Bundle, BundleError
from tests.unit.compiling import compiled, open_bundle, wire, write_bundle

NAMES = [f"zone{number}.example" for number in range(130)]


def _write(output: Path, names: list[str]) -> str:
    return write_bundle(output, {name: f"www TXT {name}\n" for name in names})


def test_the_number_of_shards() -> None:
    known = {0: 1, 1: 1, 31: 1, 32: 2, 63: 2, 64: 4, 130: 8, 1023: 32, 1024: 64, 10**6: 64}
    assert {zones: shards.count(zones) for zones in known} == known


def _ids(apexes: list[bytes], count: int) -> dict[bytes, int]:
    return shards.ids(apexes, count, range(count))


def test_ids_name_the_shard_and_ascend_in_it() -> None:
    apexes = sorted(map(wire, NAMES))
    ids = _ids(apexes, 8)
    assert len(set(ids.values())) == len(NAMES)
    assert {shards.of_zone_id(one) for one in ids.values()} == set(range(8))
    for apex, one in ids.items():
        assert shards.of_zone_id(one) == shards.shard_of(apex, 8)
    for shard in range(8):
        of_shard = [ids[apex] for apex in apexes if shards.shard_of(apex, 8) == shard]
        assert of_shard == list(range(of_shard[0], of_shard[0] + len(of_shard)))
    without = _ids(apexes[1:], 8)
    moved = [apex for apex, one in without.items() if one != ids[apex]]
    assert {shards.shard_of(apex, 8) for apex in moved} == {shards.shard_of(apexes[0], 8)}


@pytest.mark.parametrize("in_memory", [0, 4096])
def test_every_zone_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(reader, "ALL_VIEWS", in_memory)
    _write(tmp_path, NAMES)
    with open_bundle(tmp_path) as bundle:
        assert len(bundle) == len(NAMES)
        assert [info.apex for info in bundle.zones()] == sorted(map(wire, NAMES))
        for name in NAMES:
            view = bundle.find_zone(wire(f"a.b.{name}"))
            assert view is not None
            assert view.apex == wire(name)
            node = view.node(b"www")
            assert node is not None
            assert node.endswith(name.encode())
            keys = [key for key, _ in view.nodes()]
            assert keys == [b"", b"ns1", b"www"]
            assert view.predecessor(b"")[0] == b"www"
            assert view.predecessor(b"www")[0] == b"ns1"
            messages = compiled(f"www TXT {name}\n", name).messages
            assert bytes(bundle.transfer(view)) == b"".join(messages)
        assert bundle.zone(wire("zone.example")) is None
        assert bundle.find_zone(wire("example")) is None


def test_damage_in_any_shard_is_found(tmp_path: Path) -> None:
    _write(tmp_path, NAMES)
    folder = current.live(tmp_path)
    for shard in range(8):
        for name in manifest.shard_files(shard):
            path = folder / name
            content = path.read_bytes()
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            with pytest.raises(BundleError, match=name):
                Bundle.open(folder, verified_dir=current.verified_dir(tmp_path))
            path.write_bytes(content)
    verification.verify(folder)


@pytest.mark.parametrize(
    ("shard", "message"), [(64, "unexpected file"), (2, "no zones-01"), (1, "belong|missing")]
)
def test_shards_that_no_build_makes_are_refused(tmp_path: Path, shard: int, message: str) -> None:
    _write(tmp_path, NAMES[:1])
    folder = current.live(tmp_path)
    document = json.loads((folder / manifest.MANIFEST).read_bytes())
    for name in manifest.shard_files(shard):
        document["files"][name] = {"sha256": "0" * 64, "size": 1}
    encoded = json.dumps(document).encode()
    forged = folder.with_name(manifest.bundle_id(encoded))
    folder.rename(forged)
    (forged / manifest.MANIFEST).write_bytes(encoded)
    with pytest.raises(BundleError, match=message):
        Bundle.open(forged)


def test_shards_are_a_power_of_two(tmp_path: Path) -> None:
    _write(tmp_path, NAMES[:40])
    folder = current.live(tmp_path)
    document = json.loads((folder / manifest.MANIFEST).read_bytes())
    for name in manifest.shard_files(2):
        document["files"][name] = {"sha256": "0" * 64, "size": 1}
    encoded = json.dumps(document).encode()
    forged = folder.with_name(manifest.bundle_id(encoded))
    folder.rename(forged)
    (forged / manifest.MANIFEST).write_bytes(encoded)
    with pytest.raises(BundleError, match="no power of two"):
        Bundle.open(forged)
