"""Reading an open bundle: zones, nodes, neighbours, transfers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.bundle import current, reader
from lzc.bundle.manifest import NoBundle
from lzc.bundle.reader import Bundle, BundleError
from lzc.dnssec.signing.denial import HASH, Denial, Way
from lzc.wire import name as wire_name
from tests.unit.compiling import compiled, open_bundle, wire, write_bundle

ZONES = {
    "example.org": "www A 192.0.2.2\na.b.c A 192.0.2.3\n*.w TXT x\n",
    "sub.example.org": "www A 192.0.2.4\n",
    "example.com": "",
    "org": "",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    write_bundle(tmp_path, ZONES)
    return open_bundle(tmp_path)


@pytest.mark.parametrize("preloaded", [0, 100])
def test_a_name_belongs_to_the_longest_zone_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preloaded: int
) -> None:
    monkeypatch.setattr(reader, "ALL_VIEWS", preloaded)
    monkeypatch.setattr(reader, "MAX_VIEWS", 2)
    write_bundle(tmp_path, ZONES)
    with open_bundle(tmp_path) as bundle:
        for qname, expected in [
            ("example.org", "example.org"),
            ("www.example.org", "example.org"),
            ("a.b.c.d.e.example.org", "example.org"),
            ("sub.example.org", "sub.example.org"),
            ("x.sub.example.org", "sub.example.org"),
            ("xsub.example.org", "example.org"),
            ("anexample.org", "org"),
            ("org", "org"),
            ("example.com", "example.com"),
        ] * 2:
            view = bundle.find_zone(wire(qname))
            assert view is not None
            assert view.apex == wire(expected), qname
        assert bundle.find_zone(wire("com")) is None
        assert bundle.find_zone(b"\x00") is None


def test_the_parent_zone_is_strictly_above(bundle: Bundle) -> None:
    parent = bundle.find_parent_zone(wire("sub.example.org"))
    assert parent is not None
    assert parent.apex == wire("example.org")
    assert bundle.find_parent_zone(wire("org")) is None
    assert bundle.find_parent_zone(b"\x00") is None


def test_zones_are_listed_and_found_by_apex(bundle: Bundle) -> None:
    infos = list(bundle.zones())
    assert [info.apex for info in infos] == sorted(map(wire, ZONES))
    assert len(bundle) == len(ZONES)
    view = bundle.zone(wire("example.org"))
    assert view is not None
    assert view.info in infos
    assert bundle.zone(wire("www.example.org")) is None


def test_a_view_sees_its_own_zone_only(bundle: Bundle) -> None:
    view = bundle.zone(wire("sub.example.org"))
    assert view is not None
    assert [key for key, _ in view.nodes()] == [b"", b"ns1", b"www"]
    assert view.node(b"www") is not None
    assert view.node(b"c") is None


def test_the_predecessor_is_the_last_name_before_and_wraps(bundle: Bundle) -> None:
    for name in ZONES:
        view = bundle.zone(wire(name))
        assert view is not None
        keys = [key for key, _ in view.nodes()]
        for index, key in enumerate(keys):
            assert view.predecessor(key) == (keys[index - 1], view.node(keys[index - 1]))
            assert view.predecessor(key + b"\x00")[0] == key
        assert view.predecessor(b"zzz")[0] == keys[-1]


def test_the_transfer_is_the_zones_own(bundle: Bundle) -> None:
    view = bundle.zone(wire("sub.example.org"))
    assert view is not None
    messages = b"".join(compiled(ZONES["sub.example.org"], "sub.example.org").messages)
    assert bytes(bundle.transfer(view)) == messages == bytes(bundle.transfer(view.info))


def test_names_of_every_octet_are_found(tmp_path: Path) -> None:
    text = "".join(f"\\{octet:03d}x.\\{octet:03d} A 192.0.2.1\n" for octet in range(256))
    write_bundle(tmp_path, {"example.org": text})
    apex = wire("example.org")
    with open_bundle(tmp_path) as bundle:
        view = bundle.zone(apex)
        assert view is not None
        for octet in range(256):
            name = bytes((2, octet, ord("x"), 1, octet)).lower() + apex
            assert view.node(wire_name.key_of(name, apex)) is not None


def test_the_longest_keys_are_found(tmp_path: Path) -> None:
    labels = [b"\x01" * 63, b"\x00" * 63, b"\x01" * 63, b"\x00" * 61]
    name = wire_name.from_labels(labels)
    assert len(name) == wire_name.MAX_NAME
    write_bundle(tmp_path, {".": f"{wire_name.to_text(name)} A 192.0.2.1\n"})
    with open_bundle(tmp_path) as bundle:
        view = bundle.find_zone(name)
        assert view is not None
        key = wire_name.key_of(name, b"\x00")
        assert view.node(key) is not None
        assert view.predecessor(b"zzz")[0] == b"ns1"
        assert view.predecessor(b"a")[0] == key
        assert view.predecessor(key)[0] == wire_name.key_of(wire_name.parent(name), b"\x00")


def test_a_bundle_can_be_open_twice_and_outlives_its_files(tmp_path: Path) -> None:
    write_bundle(tmp_path, ZONES)
    first = open_bundle(tmp_path)
    second = open_bundle(tmp_path)
    buffer = first.transfer(next(first.zones()))
    first.close()
    for number in range(5):
        write_bundle(tmp_path, {"example.net": f"n{number} A 192.0.2.1\n"})
    assert not second.path.exists()
    view = second.find_zone(wire("www.example.org"))
    assert view is not None
    assert view.node(b"www") is not None
    assert len(buffer) > 0
    second.close()


def test_opening_again_does_not_read_a_bundle_that_did_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(tmp_path, ZONES)

    def must_not_be_called(path: Path) -> str:
        raise AssertionError(f"{path} was hashed")

    monkeypatch.setattr("lzc.bundle.verification.sha256_of", must_not_be_called)
    with current.open_live(tmp_path) as bundle:
        assert len(bundle) == len(ZONES)
    with pytest.raises(AssertionError):
        Bundle.open(current.live(tmp_path))


def test_a_copied_bundle_is_verified_once(tmp_path: Path) -> None:
    identity = write_bundle(tmp_path / "built", ZONES)
    copy = tmp_path / "served"
    copy.mkdir()
    (tmp_path / "built" / identity).rename(copy / identity)
    stamps = current.verified_dir(copy)
    Bundle.open(copy / identity, verified_dir=stamps).close()
    stamp = (stamps / identity).read_bytes()
    Bundle.open(copy / identity, verified_dir=stamps).close()
    assert (stamps / identity).read_bytes() == stamp


def test_without_a_bundle_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoBundle, match="no bundle was built yet"):
        current.live(tmp_path)
    with pytest.raises(BundleError, match="no bundle"):
        Bundle.open(tmp_path / "current")
    (tmp_path / "current").symlink_to("../elsewhere")
    with pytest.raises(BundleError, match="no bundle beside it"):
        current.live(tmp_path)


@pytest.mark.parametrize("zones", [ZONES, {f"z{number}.example": "" for number in range(40)}])
def test_each_hash_is_covered_by_the_one_before_it_in_its_own_zone(
    tmp_path: Path, zones: dict[str, str]
) -> None:
    write_bundle(tmp_path, zones, signed=True, denial=Denial(Way.NSEC3, salt=b"x"))
    with open_bundle(tmp_path) as bundle:
        for name in zones:
            view = bundle.zone(wire(name))
            assert view is not None
            first = last = view.hashed_before(bytes(HASH))[0]
            chain = [last]
            while (content := view.hashed(chain[-1])) is not None and content[:HASH] != first:
                chain.append(content[:HASH])
            assert len(chain) == sum(1 for _ in view.nodes())
            chain.sort()
            assert chain[-1] == last
            for at, digest in enumerate(chain):
                assert view.hashed_before(digest)[0] == chain[at - 1]
                behind = digest[:-1] + bytes(((digest[-1] + 1) % 256,))
                if behind > digest:
                    assert view.hashed_before(behind)[0] == digest
                assert view.hashed(behind) is None
            assert view.hashed_before(b"\xff" * HASH)[0] == last


def test_a_zone_without_a_chain_has_no_hashes(tmp_path: Path) -> None:
    write_bundle(tmp_path, {"a.example": "", "b.example": ""}, signed=True)
    with open_bundle(tmp_path) as bundle:
        view = bundle.zone(wire("a.example"))
        assert view is not None
        with pytest.raises(BundleError, match="has no hashes"):
            view.hashed_before(bytes(HASH))
