"""Records of other operators who sign the same zone (RFC 8901)."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.dnssec import algorithms, sync_records
from lzc.dnssec.ds import ds_rdata
from lzc.dnssec.key import KSK_FLAGS, REVOKE, SigningKey
from lzc.dnssec.keystore import foreign_records
from lzc.dnssec.keystore.bindfile import InvalidKeyFile
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.dnssec.keystore.multi_signer import take_over
from lzc.dnssec.keystore.stepping import Wanted, take
from lzc.dnssec.life.phases import Intervals
from lzc.dnssec.life.steps import Step
from lzc.dnssec.sync_records import CDNSKEY, CDS, cds_text, dnskey_text
from lzc.faults import InputError
from lzc.wire import name

ZONE = name.from_text("example.org.")
NOW = 1_790_000_000


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    store = Keystore(tmp_path / "keys")
    store.generate(ZONE, 13, FLAGS["csk"], NOW)
    return store


@pytest.fixture
def theirs(tmp_path: Path) -> Keystore:
    store = Keystore(tmp_path / "theirs")
    store.generate(ZONE, 13, FLAGS["ksk-zsk"], NOW)
    return store


@pytest.fixture
def printed(tmp_path: Path, theirs: Keystore) -> Path:
    """What dig prints of the other operator's server."""
    zsk, ksk = sorted(theirs.load(ZONE), key=lambda key: key.flags)
    lines = [dnskey_text("Example.ORG.\t3600", key.dnskey) for key in (zsk, ksk)]
    lines.append(cds_text("example.org. 3600", ds_rdata(ZONE, ksk.dnskey)))
    lines.append(dnskey_text("example.org. 3600", ksk.dnskey, "CDNSKEY"))
    lines.append(
        "example.org. 3600 IN RRSIG DNSKEY 13 2 3600 20270101000000 20260101000000 1 x. AA=="
    )
    lines.append("; a comment with DNSKEY in it")
    (tmp_path / "printed").write_text("\n".join(lines) + "\n")
    return tmp_path / "printed"


def test_all_that_they_have_is_taken_over(
    keystore: Keystore, theirs: Keystore, printed: Path
) -> None:
    found = take_over(keystore, ZONE, [printed], NOW, "test")
    expected = theirs.load(ZONE)
    assert {key.dnskey for key in found.keys} == {key.dnskey for key in expected}
    assert found.records == 2
    assert [key.dnskey for key in keystore.foreign(ZONE)] == [key.dnskey for key in expected]
    assert len(keystore.load(ZONE)) == 1
    (ksk,) = (key for key in expected if key.is_sep)
    assert keystore.foreign_records(ZONE) == {
        CDS: (ds_rdata(ZONE, ksk.dnskey),),
        CDNSKEY: (ksk.dnskey,),
    }
    # Once more is nothing new.
    assert take_over(keystore, ZONE, [printed], NOW, "test").keys == ()


def test_a_key_whose_private_half_is_here_is_not_foreign(
    keystore: Keystore, tmp_path: Path
) -> None:
    (key,) = keystore.load(ZONE)
    (tmp_path / "own").write_text(dnskey_text("example.org.", key.dnskey))
    assert take_over(keystore, ZONE, [tmp_path / "own"], NOW, "test").keys == ()


def test_a_tag_that_is_taken_is_refused(keystore: Keystore, tmp_path: Path) -> None:
    (key,) = keystore.load(ZONE)
    # The same octets but for two words that are swapped have the same tag.
    rdata = key.dnskey[:4] + key.dnskey[6:8] + key.dnskey[4:6] + key.dnskey[8:]
    (tmp_path / "other").write_text(dnskey_text("example.org.", rdata))
    with pytest.raises(InputError) as error:
        take_over(keystore, ZONE, [tmp_path / "other"], NOW, "test")
    assert error.value.faults[0].rule == "key-tag-taken"
    assert keystore.foreign(ZONE) == []


def test_a_new_key_has_none_of_their_tags(keystore: Keystore, printed: Path) -> None:
    take_over(keystore, ZONE, [printed], NOW, "test")
    tags = {tag for key in keystore.foreign(ZONE) for tag in {key.tag}}
    assert tags < keystore.tags(ZONE)


def test_what_they_have_can_be_removed_and_nothing_else(keystore: Keystore, printed: Path) -> None:
    take_over(keystore, ZONE, [printed], NOW, "test")
    first = keystore.foreign(ZONE)[0]
    for step in (Step.ACTIVATE, Step.RETIRE, Step.REVOKE):
        with pytest.raises(InputError) as error:
            take(keystore, Wanted(ZONE, ((None, first.tag),), step, NOW), NOW, Intervals())
        assert error.value.faults[0].rule == "key-foreign"
    take(keystore, Wanted(ZONE, ((None, first.tag),), Step.REMOVE, NOW + 9), NOW, Intervals())
    changed = next(one for one in keystore.foreign(ZONE) if one.tag == first.tag)
    assert changed.timing.delete == NOW + 9
    take(keystore, Wanted(ZONE, ((None, first.tag),), Step.REMOVE, NOW), NOW, Intervals())
    assert first.tag not in {key.tag for key in keystore.foreign(ZONE)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("example.net. IN DNSKEY 257 3 13 AAAA", "a record of example.net."),
        ("example.org. IN DNSKEY 0 3 13 AAAA", "signs no zone"),
        ("example.org. IN DNSKEY 257 2 13 AAAA", "not a DNSKEY record"),
        ("example.org. IN DNSKEY 257 3 13 ?", "not a DNSKEY record"),
        ("example.org. IN CDS 1 2 3 XYZ", "not a CDS record"),
        ("example.org. IN CDS 70000 2 3 00", "not a CDS record"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, message: str) -> None:
    with pytest.raises(InvalidKeyFile, match=message) as error:
        foreign_records.parse(f"; first\n{text}\n", ZONE)
    assert error.value.line == 2


class TestSync:
    KEYS = (KSK_FLAGS.to_bytes(2, "big") + b"\x03\x0d" + bytes(64),)

    def test_each_digest_of_each_key(self) -> None:
        found = sync_records.asked(ZONE, self.KEYS, (4, 2, 2), cdnskey=True)
        assert found == {
            CDS: tuple(sorted(ds_rdata(ZONE, self.KEYS[0], kind) for kind in (2, 4))),
            CDNSKEY: self.KEYS,
        }

    def test_nothing_where_nothing_is_wanted_or_there(self) -> None:
        assert sync_records.asked(ZONE, self.KEYS, (), cdnskey=False) == {}
        assert sync_records.asked(ZONE, (), (2,), cdnskey=True) == {}

    def test_deletion_is_one_record_each(self) -> None:
        found = sync_records.asked(ZONE, self.KEYS, (2, 4), cdnskey=True, delete=True)
        texts = [cds_text("x.", found[CDS][0]), dnskey_text("x.", found[CDNSKEY][0], "CDNSKEY")]
        assert texts == ["x. IN CDS 0 0 0 00", "x. IN CDNSKEY 0 3 0 AA=="]
        assert {len(rdatas) for rdatas in found.values()} == {1}


def test_a_revoked_key_has_another_tag_that_is_free(keystore: Keystore) -> None:
    (key,) = keystore.load(ZONE)
    keystore.generate(ZONE, 13, FLAGS["csk"], NOW)
    (taken,) = take(keystore, Wanted(ZONE, ((None, key.tag),), Step.REVOKE, NOW), NOW, Intervals())
    assert taken.after is not None
    assert taken.after.flags == KSK_FLAGS | REVOKE
    assert taken.after.tag != key.tag
    both = keystore.load(ZONE)
    assert {key.is_revoked for key in both} == {True, False}
    assert [one.dnskey for one in keystore.published(ZONE, NOW)] == [one.dnskey for one in both]
    assert {key.tag, taken.after.tag} <= keystore.tags(ZONE)


def test_a_key_that_is_to_be_revoked_is_so_from_its_date_on(keystore: Keystore) -> None:
    (key,) = keystore.load(ZONE)
    keystore.generate(ZONE, 13, FLAGS["csk"], NOW)
    wanted = Wanted(ZONE, ((None, key.tag),), Step.REVOKE, NOW + 60)
    take(keystore, wanted, NOW, Intervals())
    for moment, flags in ((NOW + 59, KSK_FLAGS), (NOW + 60, KSK_FLAGS | REVOKE)):
        published = keystore.published(ZONE, moment)
        assert {one.flags for one in published if one.dnskey[4:] == key.dnskey[4:]} == {flags}


@pytest.fixture
def taken_over(keystore: Keystore, printed: Path) -> list[int]:
    """The tags of the other operator's keys, of which one is named in CDS and CDNSKEY."""
    take_over(keystore, ZONE, [printed], NOW, "test")
    keys = sorted(keystore.foreign(ZONE), key=lambda key: key.is_sep)
    return [key.tag for key in keys]


def removal(*tags: int) -> Wanted:
    return Wanted(ZONE, tuple((None, tag) for tag in tags), Step.REMOVE, NOW)


def test_nothing_asks_for_a_ds_of_a_key_that_is_removed(
    keystore: Keystore, taken_over: list[int], tmp_path: Path, theirs: Keystore
) -> None:
    zsk, ksk = taken_over
    take(keystore, removal(zsk), NOW, Intervals())
    assert set(keystore.foreign_records(ZONE)) == {CDS, CDNSKEY}
    other = SigningKey.make(ZONE, 15, KSK_FLAGS, algorithms.generate(15))
    rdata = ds_rdata(ZONE, other.dnskey, 4)
    kept = keystore.foreign_records(ZONE)[CDS]
    lines = [cds_text("example.org.", one) for one in (*kept, rdata)]
    (tmp_path / "more").write_text("\n".join(lines) + "\n")
    take_over(keystore, ZONE, [tmp_path / "more"], NOW, "test")
    take(keystore, removal(ksk), NOW, Intervals())
    assert keystore.foreign_records(ZONE) == {CDS: (rdata,)}


def test_the_file_of_such_records_goes_with_the_last_of_them(
    keystore: Keystore, taken_over: list[int]
) -> None:
    take(keystore, removal(*taken_over), NOW, Intervals())
    assert keystore.foreign_records(ZONE) == {}
    assert not list(keystore.path.glob("*sync*"))


@pytest.mark.parametrize("which", ["DNSKEY", "CDS", "folder"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_nobody_else_can_put_a_key_of_his_into_the_zone(
    keystore: Keystore, taken_over: list[int], which: str, mode: int
) -> None:
    """Whoever has the private half of a DNSKEY of the zone forges it."""
    file = {
        "DNSKEY": keystore.files_of(keystore.foreign(ZONE)[0])[0],
        "CDS": next(keystore.path.glob("*.sync")),
        "folder": keystore.path,
    }[which]
    file.chmod(file.stat().st_mode | mode)
    with pytest.raises(InputError) as error:
        (keystore.foreign_records if which == "CDS" else keystore.foreign)(ZONE)
    (fault,) = error.value.faults
    assert fault.rule == ("keystore-writable" if which == "folder" else "key-writable")
    assert str(fault.place) == str(file)
    assert fault.fix.startswith("chmod")


@pytest.mark.parametrize("label", [b"a;b", b"a(b)", b"a b", b'a"b', b"dnskey", b"\\"])
def test_names_of_zones_may_have_any_octets(tmp_path: Path, label: bytes) -> None:
    zone = name.from_labels([label, b"example"])
    store = Keystore(tmp_path / "keys")
    (key,) = store.generate(zone, 13, FLAGS["csk"], NOW)
    assert [one.dnskey for one in store.load(zone)] == [key.dnskey]
    other = SigningKey.make(zone, 15, KSK_FLAGS, algorithms.generate(15))
    (tmp_path / "printed").write_text(dnskey_text(name.to_text(zone), other.dnskey) + " ; theirs\n")
    take_over(store, zone, [tmp_path / "printed"], NOW, "test")
    assert [one.dnskey for one in store.foreign(zone)] == [other.dnskey]
