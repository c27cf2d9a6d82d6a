"""The keystore and BIND's key files: what is read, what is refused, what is never lost."""

from __future__ import annotations

import itertools
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.dnssec import algorithms
from lzc.dnssec.key import KSK_FLAGS, ZSK_FLAGS, SigningKey
from lzc.dnssec.keystore import bindfile, changes
from lzc.dnssec.keystore.bindfile import InvalidKeyFile
from lzc.dnssec.keystore.changes import AUDIT, LOCK
from lzc.dnssec.keystore.keystore import FLAGS, Keystore, base_name
from lzc.dnssec.life.timing import Timing
from lzc.faults import Fault, InputError
from lzc.wire import name

ZONE = name.from_text("example.org.")
NOW = 1_790_000_000
ALL = (8, 10, 13, 14, 15, 16)

# Made by dnssec-keygen 9.18: -a ED25519 -f KSK -P now -A +1d -R +50d -I +30d -D +60d, -P sync and
# -D sync; a key of a test, used nowhere.
PRIVATE = """\
Private-key-format: v1.3
Algorithm: 15 (ED25519)
PrivateKey: VDOEgS6XRGJahT3Ynm+JdRBYuzQHg2t4Pu5TCx2eodc=
Created: 20261121200222
Publish: 20261121200222
Activate: 20261122200222
Revoke: 20270110200222
Inactive: 20261221200222
Delete: 20270120200222
SyncPublish: 20261123200222
SyncDelete: 20261211200222
"""
PUBLIC = """\
; This is a key-signing key, keyid 3661, for t.org.
; Created: 20261121200222 (Sat Nov 21 20:02:22 2026)
; Publish: 20261121200222 (Sat Nov 21 20:02:22 2026)
; Activate: 20261122200222 (Sun Nov 22 20:02:22 2026)
; Revoke: 20270110200222 (Sun Jan 10 20:02:22 2027)
; Inactive: 20261221200222 (Mon Dec 21 20:02:22 2026)
; Delete: 20270120200222 (Wed Jan 20 20:02:22 2027)
; SyncPublish: 20261123200222 (Mon Nov 23 20:02:22 2026)
; SyncDelete: 20261211200222 (Fri Dec 11 20:02:22 2026)
t.org. IN DNSKEY 257 3 15 l/24dyY3dZ+1J0Pq5svAo9klGrtD3Q6lVcBHe/Zso2M=
"""


def make(algorithm: int = 15, flags: int = KSK_FLAGS, zone: bytes = ZONE) -> SigningKey:
    timing = Timing(created=NOW, publish=NOW, activate=NOW)
    return SigningKey.make(zone, algorithm, flags, algorithms.generate(algorithm), timing)


def one_fault(error: pytest.ExceptionInfo[InputError]) -> Fault:
    (fault,) = error.value.faults
    return fault


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keys")


class TestFiles:
    def test_the_files_of_dnssec_keygen_are_written_as_they_were_read(self) -> None:
        algorithm, private, timing = bindfile.parse_private(PRIVATE)
        owner, dnskey = bindfile.parse_public(PUBLIC)
        key = SigningKey.make(owner, algorithm, KSK_FLAGS, private, timing)
        assert key.dnskey == dnskey
        assert key.tag == 3661
        assert timing.publish == 1795291342
        assert bindfile.format_private(key) == PRIVATE
        assert bindfile.format_public(key) == PUBLIC

    @pytest.mark.parametrize("algorithm", ALL)
    def test_every_algorithm_survives_writing_and_reading(self, algorithm: int) -> None:
        key = make(algorithm)
        number, private, timing = bindfile.parse_private(bindfile.format_private(key))
        assert (number, timing) == (algorithm, key.timing)
        assert SigningKey.make(ZONE, number, KSK_FLAGS, private, timing) == key

    def test_a_short_scalar_is_written_with_all_its_octets(self) -> None:
        private = algorithms.from_scalar(13, b"\x07")
        text = bindfile.format_private(SigningKey.make(ZONE, 13, KSK_FLAGS, private))
        assert "PrivateKey: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAc=\n" in text

    def test_what_pdnsutil_exports_is_read(self) -> None:
        text = (
            "Private-key-format: v1.2\nAlgorithm: 13 (ECDSAP256SHA256)\n"
            "PrivateKey: mKIhY5SNyRn6y+zFjpCcggUcm2uNxE9VAsYfJUwyUQc=\n\n"
        )
        algorithm, private, timing = bindfile.parse_private(text)
        assert timing == Timing()
        assert SigningKey.make(ZONE, algorithm, KSK_FLAGS, private).tag == 43931

    @pytest.mark.parametrize(
        ("text", "message", "line"),
        [
            ("", "Private-key-format is missing", 0),
            ("-----BEGIN PRIVATE KEY-----\n", "Private-key-format is missing", 0),
            ("Private-key-format: v2.0\n", "v2.0 is unknown", 1),
            (PRIVATE.replace("15 (ED25519)", "5 (RSASHA1)"), "5 is not an algorithm", 2),
            (PRIVATE.replace("PrivateKey:", "Label: pkcs11:"), "Label is not base64", 3),
            (PRIVATE.replace("PrivateKey: VDO", "PrivateKey: ?"), "not base64", 3),
            (PRIVATE.replace("PrivateKey: VDOE", "PrivateKey: "), "29 octets, not 32", 3),
            (PRIVATE.replace("PrivateKey:", "Nothing:"), "PrivateKey is missing", 0),
            (PRIVATE.replace("Publish: 2026", "Publish: 26"), "YYYYMMDDHHMMSS", 5),
            (PRIVATE + "Created: 20261121200222\n", "second time", 12),
        ],
    )
    def test_a_damaged_file_is_refused_with_its_line(
        self, text: str, message: str, line: int
    ) -> None:
        with pytest.raises(InvalidKeyFile, match=message) as error:
            bindfile.parse_private(text)
        assert error.value.line == line
        assert "VDOEgS6XRGJahT3Ynm" not in str(error.value)

    @pytest.mark.parametrize(
        "field",
        ["PrivateExponent", "Prime1", "Prime2", "Exponent1", "Exponent2", "Coefficient"],
    )
    def test_a_damaged_rsa_key_is_refused_without_showing_it(self, field: str) -> None:
        text = bindfile.format_private(make(8))
        lines = dict(line.split(": ") for line in text.splitlines())
        swapped = text.replace(lines[field], lines["PublicExponent"])
        for known in (False, True):
            with pytest.raises(InvalidKeyFile, match="do not fit together"):
                bindfile.parse_whole(swapped, known=known)

    @pytest.mark.parametrize(
        "text", ["", "example.org. IN A 192.0.2.1\n", PUBLIC + PUBLIC, "t.org. IN DNSKEY 257 3\n"]
    )
    def test_a_damaged_dnskey_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidKeyFile):
            bindfile.parse_public(text)

    def test_a_dnskey_may_have_a_ttl_and_be_cut_into_pieces(self) -> None:
        text = PUBLIC.replace(" IN ", " 300 IN ").replace("l/24", "l/24 ")
        assert bindfile.parse_public(text) == bindfile.parse_public(PUBLIC)

    @pytest.mark.parametrize(
        ("zone", "expected"),
        [  # as dnssec-keygen 9.18 names them
            ("example.org.", "Kexample.org.+015+00042"),
            (".", "K.+015+00042"),
            ("0/25.2.0.192.in-addr.arpa.", "K0%2F25.2.0.192.in-addr.arpa.+015+00042"),
            (r"a\.b_c-D*.ORG.", "Ka%2Eb_c-d%2A.org.+015+00042"),
            (r"x\032y\200.org.", "Kx%20y%C8.org.+015+00042"),
        ],
    )
    def test_files_are_named_as_bind_names_them(self, zone: str, expected: str) -> None:
        wire = name.from_text(zone)
        assert bindfile.base_name(wire, 15, 42) == expected
        assert bindfile.zone_of(expected) == wire.lower()

    @given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5))
    def test_every_zone_is_found_again_in_its_file_name(self, labels: list[bytes]) -> None:
        wire = name.from_labels(labels)
        base = bindfile.base_name(wire, 13, 7)
        assert bindfile.zone_of(base) == wire.lower()
        assert "/" not in base

    @pytest.mark.parametrize(
        "base",
        [
            "transfer",
            "Kexample.org",
            "Kexample.org.+13+7",
            f"K{64 * 'a'}.+013+00007",
            f"K{127 * 'a.'}a.+013+00007",
        ],
    )
    def test_other_files_belong_to_no_zone(self, base: str) -> None:
        assert bindfile.zone_of(base) is None


class TestStore:
    @pytest.mark.parametrize(
        ("policy", "flags"), [("csk", [KSK_FLAGS]), ("ksk-zsk", [KSK_FLAGS, ZSK_FLAGS])]
    )
    def test_a_policy_makes_its_keys_and_they_are_active_now(
        self, keystore: Keystore, policy: str, flags: list[int]
    ) -> None:
        made = keystore.generate(ZONE, 13, FLAGS[policy], NOW)
        assert [key.flags for key in made] == flags
        loaded = keystore.load(ZONE)
        assert sorted(loaded, key=repr) == sorted(made, key=repr)
        assert all(key.timing.is_active(NOW) for key in loaded)
        assert keystore.published(ZONE, NOW - 1) == []

    def test_a_zone_is_found_in_any_case(self, keystore: Keystore) -> None:
        keystore.generate(name.from_text("EXAMPLE.org."), 15, FLAGS["csk"], NOW)
        assert len(keystore.load(name.from_text("Example.Org."))) == 1
        assert keystore.zones() == [ZONE]

    def test_keys_of_zones_above_and_below_are_other_keys(self, keystore: Keystore) -> None:
        zones = [name.from_text(text) for text in ("org.", "example.org.", "a.example.org.")]
        for zone in zones:
            keystore.generate(zone, 15, FLAGS["csk"], NOW)
        assert keystore.zones() == zones
        assert [len(keystore.load(zone)) for zone in zones] == [1, 1, 1]

    def test_changes_by_another_process_are_seen(self, keystore: Keystore) -> None:
        keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        os.utime(keystore.path, (0, 0))  # long settled: the list of files may be kept
        assert len(keystore.load(ZONE)) == 1
        Keystore(keystore.path).generate(ZONE, 15, FLAGS["csk"], NOW)
        assert len(keystore.load(ZONE)) == 2

    def test_a_folder_that_does_not_exist_holds_nothing(self, keystore: Keystore) -> None:
        assert keystore.zones() == []
        assert keystore.load(ZONE) == []
        assert not keystore.path.exists()

    def test_files_are_readable_by_their_owner_only(self, keystore: Keystore) -> None:
        keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        assert stat.S_IMODE(keystore.path.stat().st_mode) == 0o700
        modes = {stat.S_IMODE(file.stat().st_mode) for file in keystore.path.iterdir()}
        assert modes == {0o600}
        left = {file.name for file in keystore.path.iterdir() if not file.name.startswith("K")}
        assert left == {LOCK, AUDIT}

    def test_a_key_is_never_overwritten(self, keystore: Keystore) -> None:
        (key,) = keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        before = {file: file.read_bytes() for file in keystore.path.iterdir()}
        with pytest.raises(InputError) as error:
            keystore.add(key)
        assert one_fault(error).rule == "key-exists"
        assert {file: file.read_bytes() for file in keystore.path.iterdir()} == before

    def test_tags_of_a_zone_do_not_collide(
        self, keystore: Keystore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = algorithms.generate(15), algorithms.generate(15)
        drawn = itertools.chain([first, first, second])
        monkeypatch.setattr(algorithms, "generate", lambda *_: next(drawn))
        made = keystore.generate(ZONE, 15, [KSK_FLAGS, KSK_FLAGS], NOW)
        assert made[0].tag != made[1].tag
        assert len(keystore.load(ZONE)) == 2

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
    def test_a_private_key_open_to_others_is_refused(self, keystore: Keystore, mode: int) -> None:
        (key,) = keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        file = keystore.path / f"{base_name(key)}.private"
        file.chmod(mode)
        with pytest.raises(InputError) as error:
            keystore.load(ZONE)
        assert one_fault(error).rule == "key-exposed"
        assert one_fault(error).fix.startswith(f"chmod 600 {file}")

    def test_a_folder_others_can_write_into_is_refused(self, keystore: Keystore) -> None:
        keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        keystore.path.chmod(0o777)
        with pytest.raises(InputError) as error:
            keystore.load(ZONE)
        assert one_fault(error).rule == "keystore-writable"

    def test_all_faults_are_reported_at_once(self, keystore: Keystore) -> None:
        for _ in range(2):
            keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        for file in keystore.path.glob("*.private"):
            file.write_text("nothing\n")
        with pytest.raises(InputError) as error:
            keystore.load(ZONE)
        assert [fault.rule for fault in error.value.faults] == ["key-file-damaged"] * 2
        assert all("lzc keys generate" in fault.fix for fault in error.value.faults)

    def test_a_dnskey_of_another_key_is_refused(self, keystore: Keystore) -> None:
        (key,) = keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        (keystore.path / f"{base_name(key)}.key").write_text(bindfile.format_public(make()))
        with pytest.raises(InputError) as error:
            keystore.load(ZONE)
        assert one_fault(error).rule == "key-mismatch"

    def test_a_private_key_without_its_dnskey_is_refused(self, keystore: Keystore) -> None:
        (key,) = keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        (keystore.path / f"{base_name(key)}.key").unlink()
        with pytest.raises(InputError) as error:
            keystore.load(ZONE)
        assert one_fault(error).rule == "key-without-dnskey"

    @pytest.mark.parametrize("flags", [512, 1, 0])
    def test_flags_that_sign_no_zone_are_refused(self, keystore: Keystore, flags: int) -> None:
        (key,) = keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        file = keystore.path / f"{base_name(key)}.key"
        file.write_text(file.read_text().replace("DNSKEY 257", f"DNSKEY {flags}"))
        with pytest.raises(InputError) as error:
            keystore.load(ZONE)
        assert one_fault(error).rule == "key-unusable"


class TestImport:
    @pytest.fixture
    def foreign(self, tmp_path: Path) -> Path:
        file = tmp_path / "Kt.org.+015+03661.private"
        file.touch(0o600)
        file.write_text(PRIVATE)
        return file

    def test_role_and_timing_come_from_the_files(self, keystore: Keystore, foreign: Path) -> None:
        foreign.with_suffix(".key").write_text(PUBLIC)
        key = keystore.import_file(name.from_text("t.org."), foreign, NOW)
        assert (key.tag, key.flags, key.timing.activate) == (3661, KSK_FLAGS, 1795377742)
        assert keystore.load(name.from_text("t.org.")) == [key]
        assert (keystore.path / foreign.name).read_text() == PRIVATE

    def test_a_private_file_alone_needs_a_role(self, keystore: Keystore, foreign: Path) -> None:
        with pytest.raises(InputError) as error:
            keystore.import_file(ZONE, foreign, NOW)
        assert one_fault(error).rule == "key-role-unknown"
        assert keystore.import_file(ZONE, foreign, NOW, flags=ZSK_FLAGS).flags == ZSK_FLAGS

    def test_a_key_without_metadata_is_active_from_its_import_on(
        self, keystore: Keystore, foreign: Path
    ) -> None:
        foreign.write_text("".join(PRIVATE.splitlines(keepends=True)[:3]))
        key = keystore.import_file(ZONE, foreign, NOW, flags=KSK_FLAGS)
        assert key.timing == Timing(created=NOW, publish=NOW, activate=NOW)

    def test_a_key_of_another_zone_is_refused(self, keystore: Keystore, foreign: Path) -> None:
        foreign.with_suffix(".key").write_text(PUBLIC)
        with pytest.raises(InputError, match=r"for t\.org\., not for example\.org\."):
            keystore.import_file(ZONE, foreign, NOW)

    def test_a_key_beside_the_dnskey_of_another_is_refused(
        self, keystore: Keystore, foreign: Path
    ) -> None:
        zone = name.from_text("t.org.")
        foreign.with_suffix(".key").write_text(bindfile.format_public(make(zone=zone)))
        with pytest.raises(InputError) as error:
            keystore.import_file(zone, foreign, NOW)
        assert one_fault(error).rule == "key-mismatch"

    def test_an_exposed_file_is_not_imported(self, keystore: Keystore, foreign: Path) -> None:
        foreign.chmod(0o644)
        with pytest.raises(InputError) as error:
            keystore.import_file(ZONE, foreign, NOW, flags=KSK_FLAGS)
        assert one_fault(error).rule == "key-exposed"

    def test_a_missing_file_is_said_to_be_missing(self, keystore: Keystore, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="No such file"):
            keystore.import_file(ZONE, tmp_path / "none.private", NOW, flags=KSK_FLAGS)

    def test_an_export_can_be_imported_again(self, keystore: Keystore, tmp_path: Path) -> None:
        made = keystore.generate(ZONE, 13, FLAGS["ksk-zsk"], NOW)
        files = keystore.export(made, tmp_path / "out")
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        other = Keystore(tmp_path / "other")
        assert [other.import_file(ZONE, file, NOW) for file in files] == made


@pytest.mark.parametrize("kind", ["key", "state"])
def test_files_that_make_a_key_useless_are_not_for_all_to_write(
    keystore: Keystore, kind: str
) -> None:
    """Who is in the owner's group may do so with those of dnssec-keygen, as the umask has it."""
    (key,) = keystore.generate(ZONE, 13, FLAGS["csk"], NOW)
    file = keystore.path / f"{base_name(key)}.{kind}"
    if kind == "state":
        file.write_text("GoalState: omnipresent\nDNSKEYState: omnipresent\nKSK: yes\nZSK: yes\n")
    file.chmod(0o664)
    assert len(keystore.load(ZONE)) == 1
    file.chmod(0o666)
    with pytest.raises(InputError) as error:
        keystore.load(ZONE)
    assert (one_fault(error).rule, str(one_fault(error).place)) == ("key-writable", str(file))


@pytest.mark.parametrize("kind", ["key", "private"])
def test_what_is_far_too_large_is_not_read(keystore: Keystore, kind: str) -> None:
    (key,) = keystore.generate(ZONE, 13, FLAGS["csk"], NOW)
    with (keystore.path / f"{base_name(key)}.{kind}").open("a") as file:
        file.write("; more\n" * 10_000)
    with pytest.raises(InputError) as error:
        keystore.load(ZONE)
    assert "has more than 65536 octets" in one_fault(error).message


def test_a_reader_looks_again_where_files_moved_meanwhile(
    keystore: Keystore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it finds missing in the middle of another's change is no fault."""
    (key,) = keystore.generate(ZONE, 13, FLAGS["csk"], NOW)
    tokens = iter([(1,), (2,)])
    as_it_is = changes.token(keystore.path)
    monkeypatch.setattr(changes, "token", lambda _: next(tokens, as_it_is))
    found = iter([InputError([])])

    def read() -> str:
        for error in found:
            raise error
        return "whole"

    assert keystore._whole(read) == "whole"
    monkeypatch.setattr(changes, "token", lambda _: as_it_is)
    with pytest.raises(InputError):
        Keystore(keystore.path)._whole(lambda: keystore.check_free(ZONE, 13, key.tag))
