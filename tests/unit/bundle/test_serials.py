"""The file of serials: what it holds comes back, whatever single damage there is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.bundle.serial_store import (
    COPY,
    FILE,
    SEVERAL,
    LastSerial,
    Move,
    SerialStore,
    later,
    load,
)
from lzc.zone.serial import greater
from tests.unit.compiling import wire

TOP = 2**32 - 1
BUNDLE = "0123456789abcdef" * 2

DIGESTS = st.sampled_from(["a" * 64, "b" * 64, "", SEVERAL])
SERIALS = st.builds(
    LastSerial, st.integers(0, TOP), DIGESTS, st.one_of(st.none(), st.integers(0, TOP))
)
LABELS = st.binary(min_size=1, max_size=20).map(bytes.lower)
APEXES = st.lists(LABELS, max_size=4).map(
    lambda labels: b"".join(bytes((len(one),)) + one for one in labels) + b"\0"
)


def summed(line: bytes) -> bytes:
    """A line of the file with the start of its SHA-256 behind it."""
    return line + b" " + hashlib.sha256(line).hexdigest()[:16].encode()


ZONES = {
    wire("example.org"): LastSerial(2026112901, "c" * 64, 1),
    wire("example.com"): LastSerial(7, "", None),
    b"\x04a\x00 \xff\x00": LastSerial(TOP, SEVERAL, TOP),
}


def _saved(output: Path, zones: dict[bytes, LastSerial]) -> SerialStore:
    store = SerialStore()
    for apex, given_serial in zones.items():
        store.put(apex, given_serial)
    store.cover(BUNDLE)
    store.save(output)
    return store


def _all(store: SerialStore) -> dict[bytes, LastSerial | None]:
    return {apex: store.get(apex) for apex in ZONES}


@settings(max_examples=100)
@given(zones=st.dictionaries(APEXES, SERIALS, max_size=6))
def test_what_was_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, zones: dict[bytes, LastSerial]
) -> None:
    output = tmp_path_factory.mktemp("output")
    _saved(output, zones)
    store = load(output)
    assert {apex: store.get(apex) for apex in zones} == zones
    assert (len(store), store.last_bundle) == (len(zones), BUNDLE)
    assert (store.whole, store.stale, store.problems) == (True, False, [])


def test_before_the_first_build_there_is_nothing(tmp_path: Path) -> None:
    store = load(tmp_path)
    assert (len(store), store.whole, store.last_bundle, store.problems) == (0, False, "", [])


def test_the_text_is_one_that_a_person_can_read(tmp_path: Path) -> None:
    _saved(tmp_path, ZONES)
    head, *lines = (tmp_path / FILE).read_text(encoding="ascii").splitlines()
    assert head.startswith("lzc serials 1 ")
    assert lines[0].startswith(f"bundle {BUNDLE} ")
    assert [line.rpartition(" ")[0] for line in lines[1:]] == [
        f"zone a\\000\\032\\255. live {TOP} {TOP} several",
        "zone example.com. live 7 - -",
        f"zone example.org. live 2026112901 1 {'c' * 64}",
    ]
    assert (tmp_path / COPY).read_bytes() == (tmp_path / FILE).read_bytes()


def test_every_damage_of_one_octet_is_seen_and_costs_nothing(tmp_path: Path) -> None:
    _saved(tmp_path, ZONES)
    content = (tmp_path / FILE).read_bytes()
    for name in (FILE, COPY):
        for position in range(len(content)):
            damaged = bytearray(content)
            damaged[position] ^= 1 << position % 8
            (tmp_path / name).write_bytes(damaged)
            store = load(tmp_path)
            assert _all(store) == ZONES
            assert (store.whole, store.stale, store.last_bundle) == (True, True, BUNDLE)
            ((path, problem),) = store.problems
            assert path == tmp_path / name
            assert "damaged" in problem
        (tmp_path / name).write_bytes(content)
    assert not load(tmp_path).stale


@pytest.mark.parametrize("name", [FILE, COPY])
@pytest.mark.parametrize("octets", [b"", b"\n", b"lzc serials 1", b"\0" * 500, None])
def test_one_file_that_is_cut_or_gone_costs_nothing(
    tmp_path: Path, name: str, octets: bytes | None
) -> None:
    _saved(tmp_path, ZONES)
    if octets is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(octets)
    store = load(tmp_path)
    assert _all(store) == ZONES
    assert store.stale
    store.save(tmp_path)
    assert not load(tmp_path).problems


def test_lines_that_are_right_count_where_both_files_are_damaged(tmp_path: Path) -> None:
    _saved(tmp_path, ZONES)
    for name, zone in ((FILE, b"example.org."), (COPY, b"example.com.")):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content.replace(b"zone " + zone, b"zone x"))
    store = load(tmp_path)
    assert _all(store) == ZONES
    assert (store.whole, store.last_bundle, len(store.problems)) == (False, "", 2)


def test_a_crash_between_the_two_files_leaves_the_later_serials(tmp_path: Path) -> None:
    _saved(tmp_path, ZONES)
    old = (tmp_path / COPY).read_bytes()
    apex = wire("example.org")
    after = ZONES | {apex: LastSerial(2026112902, "d" * 64, 1)}
    _saved(tmp_path, after)
    (tmp_path / COPY).write_bytes(old)
    store = load(tmp_path)
    assert _all(store) == after
    assert store.stale


def test_fields_and_lines_of_later_versions_are_left_alone(tmp_path: Path) -> None:
    _saved(tmp_path, ZONES)
    for name in (FILE, COPY):
        lines = [
            summed(line.rpartition(b" ")[0] + b" more of=it")
            for line in (tmp_path / name).read_bytes().splitlines()[1:]
        ]
        lines.append(summed(b"delta example.org. 1 2"))
        (tmp_path / name).write_bytes(b"lzc serials 2 future\n" + b"\n".join(lines) + b"\n")
    store = load(tmp_path)
    assert _all(store) == ZONES
    assert store.bundles == [BUNDLE]


@given(before=SERIALS, found=SERIALS)
def test_later_never_goes_back(before: LastSerial, found: LastSerial) -> None:
    after = later(before, found)
    assert after.serial in (before.serial, found.serial)
    assert not greater(before.serial, after.serial)
    assert not greater(found.serial, after.serial)
    if before.serial == found.serial and before.digest and found.digest:
        assert (after.digest == before.digest) == (before.digest == found.digest) or (
            before.digest == SEVERAL
        )
    assert later(None, found) == found


def test_where_a_zone_is_on_its_way_to_is_kept_like_its_serial(tmp_path: Path) -> None:
    apex, move = wire("example.org"), Move(4000000000, "date", 1_800_000_000)
    store = _saved(tmp_path, ZONES)
    store.set_move(apex, move)
    assert store.stale
    store.save(tmp_path)
    (tmp_path / FILE).write_bytes(b"")
    store = load(tmp_path)
    assert store.move(apex) == move
    assert store.move(wire("example.com")) is None
    assert _all(store) == ZONES


def test_a_move_that_ended_is_not_taken_up_again_for_an_older_copy(tmp_path: Path) -> None:
    apex = wire("example.org")
    store = _saved(tmp_path, ZONES)
    store.set_move(apex, Move(7, "4294967295", 1))
    store.save(tmp_path)
    old = (tmp_path / COPY).read_bytes()
    store.set_move(apex, None)
    store.save(tmp_path)
    (tmp_path / COPY).write_bytes(old)
    assert load(tmp_path).move(apex) is None
