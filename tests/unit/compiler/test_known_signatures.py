"""Signatures of presigned zones that were found right are not computed again, and no change of the
zone, of its keys or of the time is missed for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lzc import config
from lzc.compiler import pipeline
from lzc.compiler.checks import signatures
from lzc.compiler.incremental.known_signatures import FOLDER
from lzc.dnssec.key import SigningKey
from lzc.dnssec.validation import signature_check
from lzc.faults import Fault, InputError, Severity
from lzc.source.second_process import SecondProcess
from tests.unit.answer.test_dnssec import csk
from tests.unit.answering import HEAD, NOW
from tests.unit.compiler.test_presigned_zones import EXPIRES, TOML
from tests.unit.presigned_text import presigned

HOSTS = "".join(f"host{number} 600 IN A 192.0.2.{number}\n" for number in range(20))
TEXT = HEAD + HOSTS
RRSETS = 3 + 1 + 20 + 22
"""SOA, NS and DNSKEY, those of names, and the NSEC of each."""


class Watched:
    """A project with a presigned zone, and how many signatures the last build computed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.computed = 0
        (folder / "zones").mkdir()
        (folder / "lzc.toml").write_text(TOML)

    @property
    def remembered(self) -> list[Path]:
        return list((self.folder / "build" / FOLDER).iterdir())

    def build(self, text: str, now: float = NOW) -> list[Fault]:
        """Its warnings."""
        self.computed = 0
        path = self.folder / "zones/example.org.zone"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return pipeline.build(config.load(self.folder / "lzc.toml"), now=now).warnings

    def faults(self, text: str, now: float = NOW) -> list[str]:
        with pytest.raises(InputError) as raised:
            self.build(text, now)
        faults = [one for one in raised.value.faults if one.severity is Severity.ERROR]
        assert {fault.rule for fault in faults} == {"presigned-signature"}
        return [fault.message for fault in faults]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    made = Watched(tmp_path)
    compute: Callable[..., str | None] = signature_check._mathematics

    def counting(*parts: object) -> str | None:
        made.computed += 1
        return compute(*parts)

    monkeypatch.setattr(signature_check, "_mathematics", counting)
    return made


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return csk("example.org.", 13)


def changed(text: str, owner: str, rdata: str) -> str:
    """The zone with another A record at a name, and the signature that was there."""
    (line,) = [one for one in text.splitlines() if one.startswith(f"{owner}. 600 IN A ")]
    return text.replace(line, f"{owner}. 600 IN A {rdata}")


def test_a_zone_that_did_not_change_costs_nothing(watched: Watched, key: SigningKey) -> None:
    text = presigned(TEXT, [key])
    assert watched.build(text) == []
    assert watched.computed == RRSETS
    assert watched.build(text, NOW + 3600) == []
    assert watched.computed == 0


def test_a_broken_signature_in_a_zone_that_was_right_is_found(
    watched: Watched, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    watched.build(text)
    (fault,) = watched.faults(changed(text, "host7.example.org", "192.0.2.99"))
    assert "the RRSIG over host7.example.org. A by key" in fault
    assert watched.computed == 1
    (fault,) = watched.faults(changed(text, "host7.example.org", "192.0.2.99"))
    assert watched.computed == 1
    assert watched.build(text) == []


def test_a_build_that_fails_leaves_what_it_found_right(watched: Watched, key: SigningKey) -> None:
    text = presigned(TEXT, [key])
    (_,) = watched.faults(changed(text, "host7.example.org", "192.0.2.99"))
    assert watched.computed == RRSETS
    assert watched.build(text) == []
    assert watched.computed == 1


def test_a_chain_that_is_not_the_zones_costs_the_signatures_nothing(
    watched: Watched, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    (link,) = [line for line in text.splitlines() if line.startswith("host7.example.org. 300 IN N")]
    lacking = "".join(f"{line}\n" for line in text.splitlines() if line != link)
    with pytest.raises(InputError, match="NSEC"):
        watched.build(lacking)
    first = watched.computed
    assert first >= RRSETS - 1
    with pytest.raises(InputError, match="NSEC"):
        watched.build(lacking)
    assert watched.computed == 0


def test_a_check_takes_what_builds_found_right_and_leaves_nothing(
    watched: Watched, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    watched.build(text)
    (before,) = watched.remembered
    written = before.stat().st_mtime_ns
    newer = TEXT.replace("2026010101", "2026010102") + "new 600 IN A 192.0.2.200\n"
    (watched.folder / "zones/example.org.zone").write_text(presigned(newer, [key]))
    for _ in range(2):
        watched.computed = 0
        pipeline.check(config.load(watched.folder / "lzc.toml"), now=NOW)
        assert watched.computed == 4
    assert watched.remembered == [before]
    assert before.stat().st_mtime_ns == written


def test_of_a_zone_that_changed_the_new_signatures_are_computed(
    watched: Watched, key: SigningKey
) -> None:
    watched.build(presigned(TEXT, [key]))
    newer = TEXT.replace("2026010101", "2026010102") + "new 600 IN A 192.0.2.200\n"
    watched.build(presigned(newer, [key]))
    # SOA, the new name with its NSEC, and the NSEC of the name before.
    assert watched.computed == 4
    watched.build(presigned(newer.replace("0102 ", "0103 "), [key]))
    assert watched.computed == 1


def test_what_expired_since_is_found_though_nothing_changed(
    watched: Watched, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    watched.build(text)
    (warning,) = watched.build(text, EXPIRES - 3 * 86400)
    assert (warning.rule, watched.computed) == ("signatures-end", 0)
    (later,) = watched.build(text, EXPIRES - 86400)
    assert "in 3 days" in warning.message
    assert "in 3 days" not in later.message
    found = watched.faults(text, EXPIRES + 1)
    assert all("expired 2027-01-28T00:00:00Z" in message for message in found)
    assert watched.computed == 0


def test_one_signature_that_ends_before_the_others_is_found_when_it_does(
    watched: Watched, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    sooner = presigned(TEXT, [key], now=NOW - 7 * 86400)
    start = "host3.example.org. 600 IN RRSIG A "
    (old,), (new,) = (
        [line for line in each.splitlines() if line.startswith(start)] for each in (sooner, text)
    )
    text = text.replace(new, old)
    watched.build(text)
    (found,) = watched.faults(text, EXPIRES - 7 * 86400 + 1)
    assert "host3.example.org. A by key" in found
    assert "expired" in found
    assert watched.computed == 0


def test_a_clock_that_was_set_back_finds_what_is_not_valid_yet(
    watched: Watched, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    watched.build(text)
    found = watched.faults(text, NOW - 30 * 86400)
    assert all("is not valid before" in message for message in found)


def test_with_another_key_nothing_is_known(watched: Watched, key: SigningKey) -> None:
    watched.build(presigned(TEXT, [key]))
    other = csk("example.org.", 13)
    watched.build(presigned(TEXT.replace("2026010101", "2026010102"), [other]))
    assert watched.computed == RRSETS


@pytest.mark.parametrize("at", [0, 20, 50, 80, -1])
def test_what_is_damaged_is_not_believed(watched: Watched, key: SigningKey, at: int) -> None:
    text = presigned(TEXT, [key])
    watched.build(text)
    (path,) = watched.remembered
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    newer = presigned(TEXT.replace("2026010101", "2026010102"), [key])
    watched.build(newer)
    assert watched.computed == RRSETS


def test_that_of_another_zone_is_not_believed(watched: Watched, key: SigningKey) -> None:
    text = presigned(TEXT, [key])
    watched.build(text)
    (path,) = watched.remembered
    path.rename(path.with_name("0" * 64))
    watched.build(presigned(TEXT.replace("2026010101", "2026010102"), [key]))
    assert watched.computed == RRSETS
    assert watched.remembered == [path]


def test_a_zone_that_is_not_presigned_any_more_leaves_nothing(
    watched: Watched, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    watched.build(text)
    assert len(watched.remembered) == 1
    toml = TOML.replace('dnssec = "presigned"', "strip-dnssec = true")
    (watched.folder / "lzc.toml").write_text(toml)
    watched.build(text)
    assert watched.remembered == []


@pytest.mark.parametrize("cores", [1, 2, 3, 100])
def test_several_processes_find_the_same(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr(signatures, "_MANY", 1)
    monkeypatch.setattr(signatures, "sched_getaffinity", lambda _: set(range(cores)))
    made = Watched(tmp_path)
    text = presigned(TEXT, [key])
    wrong = text
    for number in (0, 7, 19):
        wrong = changed(wrong, f"host{number}.example.org", "192.0.2.99")
    found = made.faults(wrong)
    assert len(found) == 3
    assert [number in message for number, message in zip(("0.", "7.", "19."), found, strict=False)]
    made.build(text)
    assert len(made.remembered[0].read_bytes()) > RRSETS * 16


def test_the_part_of_a_process_that_is_killed_is_done_here(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "_MANY", 1)
    monkeypatch.setattr(signatures, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(SecondProcess, "result", lambda _: None)
    wrong = changed(presigned(TEXT, [key]), "host19.example.org", "192.0.2.99")
    (fault,) = Watched(tmp_path).faults(wrong)
    assert "host19.example.org. A" in fault
