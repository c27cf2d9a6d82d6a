"""BIND's ``.state`` files: what they say goes, whatever the dates beside them are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lzc.dnssec.key import KSK_FLAGS
from lzc.dnssec.keystore import bindfile, importing
from lzc.dnssec.keystore.bindfile import InvalidKeyFile
from lzc.dnssec.keystore.keystore import FLAGS, Keystore, base_name
from lzc.dnssec.keystore.state_file import RecordState, parse_state
from lzc.dnssec.keystore.stepping import Wanted, take
from lzc.dnssec.life.phases import Intervals
from lzc.dnssec.life.steps import Step
from lzc.dnssec.life.timing import Timing
from lzc.faults import InputError
from lzc.wire import name

ZONE = name.from_text("example.org.")
NOW = bindfile.parse_time("20261130163842", 0)

# As BIND 9.18 wrote it for a zone with dnssec-policy default.
CSK = """\
; This is the state of key 5037, for c.org.
Algorithm: 13
Length: 256
Lifetime: 0
KSK: yes
ZSK: yes
Generated: 20261130163842 (Mon Nov 30 16:38:42 2026)
Published: 20261130163842 (Mon Nov 30 16:38:42 2026)
Active: 20261130163842 (Mon Nov 30 16:38:42 2026)
PublishCDS: 20261201174342 (Tue Dec  1 17:43:42 2026)
DNSKEYChange: 20261130163842 (Mon Nov 30 16:38:42 2026)
ZRRSIGChange: 20261130163842 (Mon Nov 30 16:38:42 2026)
KRRSIGChange: 20261130163842 (Mon Nov 30 16:38:42 2026)
DSChange: 20261130163842 (Mon Nov 30 16:38:42 2026)
DNSKEYState: rumoured
ZRRSIGState: rumoured
KRRSIGState: rumoured
DSState: hidden
GoalState: omnipresent
"""
DAY = 86400


def states(dnskey: str, zrrsig: str, krrsig: str, goal: str, more: str = "") -> str:
    lines = CSK.splitlines()[:-5]
    lines += [f"DNSKEYState: {dnskey}", f"ZRRSIGState: {zrrsig}", f"KRRSIGState: {krrsig}"]
    return "\n".join([*lines, "DSState: unretentive", f"GoalState: {goal}", more]) + "\n"


def test_a_key_of_dnssec_policy_is_read() -> None:
    state = parse_state(CSK)
    assert state is not None
    assert (state.ksk, state.zsk, state.lifetime) == (True, True, 0)
    assert state.goal is RecordState.OMNIPRESENT
    assert state.publish_cds == NOW + DAY + 3900
    assert state.timing() == Timing(NOW, NOW, NOW, sync_publish=NOW + DAY + 3900)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (states("rumoured", "rumoured", "rumoured", "omnipresent"), "active"),
        (states("omnipresent", "hidden", "omnipresent", "hidden"), "active"),
        (states("omnipresent", "unretentive", "unretentive", "hidden"), "published"),
        (states("omnipresent", "hidden", "hidden", "omnipresent"), "published"),
        (states("unretentive", "hidden", "hidden", "hidden"), "hidden"),
        (states("hidden", "hidden", "hidden", "omnipresent"), "hidden"),
        (states("hidden", "hidden", "hidden", "hidden"), "hidden"),
    ],
)
def test_the_states_say_what_a_key_does(text: str, expected: str) -> None:
    state = parse_state(text)
    assert state is not None
    for moment in (NOW, NOW + 1000 * DAY):
        assert state.timing().state(moment) == expected
    assert state.timing(NOW).state(NOW) == expected


def test_what_is_planned_is_kept_when_bind_is_left_and_counts_for_nothing_before() -> None:
    state = parse_state(
        states(
            "omnipresent", "omnipresent", "omnipresent", "omnipresent", "Retired: 20270101000000"
        )
    )
    assert state is not None
    retired = bindfile.parse_time("20270101000000", 0)
    assert state.timing().inactive is None
    assert state.timing(NOW).inactive == retired
    assert state.timing(retired + 1).inactive is None


@pytest.mark.parametrize(
    ("before", "after", "message", "line"),
    [
        ("GoalState: omnipresent\n", "", "GoalState or DNSKEYState is missing", 0),
        ("DNSKEYState: rumoured", "DNSKEYState: gone", "expected one of hidden", 15),
        ("KSK: yes", "KSK: perhaps", "expected yes or no", 5),
        ("Lifetime: 0", "Lifetime: long", "not a number of seconds", 4),
        ("Active: 2026", "Active: 26", "YYYYMMDDHHMMSS", 9),
    ],
)
def test_a_damaged_file_is_refused(before: str, after: str, message: str, line: int) -> None:
    with pytest.raises(InvalidKeyFile, match=message) as error:
        parse_state(CSK.replace(before, after))
    assert error.value.line == line


def test_a_key_that_bind_has_not_begun_to_look_after_says_nothing() -> None:
    assert parse_state("\n".join(CSK.splitlines()[:10])) is None


class TestInTheKeystore:
    @pytest.fixture
    def keystore(self, tmp_path: Path) -> Keystore:
        """With one key that its dates withdraw, and its state does not."""
        keystore = Keystore(tmp_path / "keys")
        (key,) = keystore.generate(ZONE, 13, FLAGS["csk"], NOW - 9 * DAY)
        base = base_name(key)
        file = keystore.path / f"{base}.private"
        dates = f"Inactive: {bindfile.format_time(NOW - 2 * DAY)}\n"
        dates += f"Delete: {bindfile.format_time(NOW - DAY)}\n"
        file.write_text(file.read_text() + dates)
        text = states("omnipresent", "omnipresent", "omnipresent", "hidden")
        (keystore.path / f"{base}.state").write_text(text)
        return keystore

    def test_a_key_goes_by_its_state(self, keystore: Keystore) -> None:
        (key,) = keystore.load(ZONE)
        assert key.managed
        assert key.timing.is_active(NOW)
        assert [file.suffix for file in keystore.files(ZONE)] == [".key", ".private", ".state"]
        known = keystore.state(key)
        assert known is not None
        assert known.leaves

    def test_dates_that_would_count_for_nobody_are_refused(self, keystore: Keystore) -> None:
        (key,) = keystore.load(ZONE)
        keystore.generate(ZONE, 13, FLAGS["csk"], NOW)
        wanted = Wanted(ZONE, ((None, key.tag),), Step.RETIRE, NOW + DAY)
        with pytest.raises(InputError) as error:
            take(keystore, wanted, NOW, Intervals())
        assert error.value.faults[0].rule == "key-managed"
        take(keystore, replace(wanted, force=True), NOW, Intervals())
        changed = next(one for one in keystore.load(ZONE) if one.tag == key.tag)
        assert not changed.managed
        assert changed.timing.inactive == NOW + DAY
        assert changed.timing.is_active(NOW)
        assert not list(keystore.path.glob("*.state"))

    def test_an_import_takes_the_state_for_dates(self, keystore: Keystore, tmp_path: Path) -> None:
        (key,) = keystore.load(ZONE)
        found = importing.read(keystore.path / f"{base_name(key)}.private", ZONE, NOW)
        assert not found.key.managed
        assert found.key.timing.is_active(NOW)
        assert found.key.timing.delete is None
        assert "BIND was about to withdraw it" in found.notes[0]
        other = Keystore(tmp_path / "other")
        other.add(found.key)
        (copy,) = other.load(ZONE)
        assert copy.timing == found.key.timing

    def test_an_export_has_the_state_too(self, keystore: Keystore, tmp_path: Path) -> None:
        keystore.export(keystore.load(ZONE), tmp_path / "out")
        assert len(list((tmp_path / "out").glob("*.state"))) == 1
        (key,) = Keystore(tmp_path / "out").load(ZONE)
        assert key.managed

    def test_a_damaged_state_takes_its_key_out(self, keystore: Keystore) -> None:
        (file,) = keystore.path.glob("*.state")
        file.write_text("nonsense")
        with pytest.raises(InputError) as error:
            keystore.load(ZONE)
        assert error.value.faults[0].rule == "key-file-damaged"
        assert error.value.faults[0].place.file == str(file)


def test_keys_before_and_after_in_a_rollover_are_kept(tmp_path: Path) -> None:
    keystore = Keystore(tmp_path)
    (key,) = keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
    file = tmp_path / f"{base_name(key)}.private"
    file.write_text(file.read_text().replace("Created", "Predecessor: 11\nSuccessor: 12\nCreated"))
    (read,) = keystore.load(ZONE)
    assert (read.predecessor, read.successor) == (11, 12)
    assert bindfile.format_private(read) == file.read_text()
    assert read.flags == KSK_FLAGS
