"""Key policies, and CDS by setting: what they say, and what is said of nonsense in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.config import Config, Policy, SyncSettings, load
from lzc.config.durations import SECONDS, parse_duration
from lzc.dnssec.life.moments import parse_moment, shown
from lzc.dnssec.life.phases import Intervals
from lzc.faults import InputError

OURS = '[policy.ours]\nkeys = "ksk-zsk"\n'


def loaded(folder: Path, text: str) -> Config:
    (folder / "lzc.toml").write_text(text)
    return load(folder / "lzc.toml")


def test_a_zone_has_its_own_policy_or_that_of_all(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        '[dnssec]\npolicy = "ours"\nalgorithm = 15\n[policy.ours]\nkeys = "ksk-zsk"\n'
        'zsk-lifetime = "90d"\nparent-ds-ttl = "2h"\n[policy."other one"]\nalgorithm = 8\n'
        'rsa-bits = 3072\ndnskey-ttl = "300"\n'
        '[zone."A.example."]\npolicy = "other one"\n[zone."b.example"]\npolicy = "csk"\n',
    )
    ours = Policy("ours", "ksk-zsk", 15, zsk_lifetime=90 * 86400, parent_ds_ttl=7200)
    assert config.key_policy("c.example") == ours
    assert config.key_policy("a.example") == Policy("other one", "csk", 8, 3072, dnskey_ttl=300)
    assert config.key_policy("b.example.") == Policy("csk", "csk", 15)
    assert Intervals.of(config.key_policy("a.example")).dnskey_ttl == 300
    assert Intervals.of(ours).ds_ttl == 7200


def test_cds_is_as_said_for_the_zone_or_its_policy_or_all(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        '[dnssec]\npublish-cds = "2"\n[policy.ours]\npublish-cds = "2,4"\npublish-cdnskey = true\n'
        '[zone."a.example"]\npolicy = "ours"\n'
        '[zone."b.example"]\npolicy = "ours"\npublish-cds = ""\npublish-cdnskey = false\n'
        '[zone."c.example"]\npublish-cds = "delete"\n',
    )
    assert config.sync_records("a.example") == SyncSettings((2, 4), True)
    assert config.sync_records("b.example") == SyncSettings()
    assert config.sync_records("c.example") == SyncSettings((2,), False, True)
    assert config.sync_records("d.example") == SyncSettings((2,))


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ('[dnssec]\npolicy = "our"\n' + OURS, 2, 1, "there is no policy 'our'"),
        ('[zone."a.b"]\n  policy = "x"\n', 2, 3, "there is no policy 'x'"),
        ('[policy.csk]\nkeys = "csk"\n', 1, 1, "is there without a table"),
        ('[policy.x]\nzsk-lifetime = "90d"\n', 2, 1, "this policy has none"),
        (OURS + 'zsk-lifetime = "1d"\n', 3, 1, "shorter than a rollover takes"),
        (OURS + 'lifetime = "2d"\nparent-ds-ttl = "2d"', 3, 1, "shorter than a rollover takes"),
        (OURS + 'lifetime = "0"\n', 3, 1, 'or "unlimited"'),
        (OURS + 'dnskey-ttl = "2d"\n', 3, 1, "larger than max-zone-ttl"),
        (OURS + 'safety = "soon"\n', 3, 1, "expected a span of time"),
        (OURS + "safety = 300\n", 3, 1, "must be text in double quotes"),
        (OURS + 'keys = "zsk"\n', 3, 1, "Cannot overwrite a value"),
        (OURS + "rsa-bits = 1024\n", 3, 1, "must be greater than or equal to 2048"),
        ('[dnssec]\npublish-cds = "1"\n', 2, 1, "expected digest types"),
        ('[dnssec]\npublish-cds = "2;4"\n', 2, 1, "expected digest types"),
    ],
)
def test_nonsense_is_told_where_it_stands(
    tmp_path: Path, text: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(InputError) as error:
        loaded(tmp_path, text)
    fault = error.value.faults[0]
    assert message.lower() in fault.message.lower()
    assert fault.place.line == line
    assert fault.place.column == column or "overwrite" in message


def test_what_was_meant_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        loaded(tmp_path, '[dnssec]\npolicy = "our"\n' + OURS)
    assert error.value.faults[0].fix == 'did you mean "ours"?'


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(list(SECONDS))), min_size=1))
def test_a_span_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    text = " ".join(f"{number}{unit}" for number, unit in parts)
    expected = sum(number * SECONDS[unit] for number, unit in parts)
    if expected > 100 * SECONDS["y"]:
        with pytest.raises(ValueError, match="100 years"):
            parse_duration(text)
    else:
        assert parse_duration(text) == expected
        assert parse_duration(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "d", "5 parsecs", "-5d", "1d x", "1e3"])
def test_other_spans_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a span"):
        parse_duration(text)


NOW = 1_790_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("never", None),
        ("+3d", NOW + 3 * 86400),
        ("-1h 30m", NOW - 5400),
        ("20260921141320", NOW),
        ("2026-09-21T14:13:20Z", NOW),
        ("2026-09-21T14:13:20", NOW),
        ("2026-09-21T16:13:20+02:00", NOW),
        ("2026-09-21", NOW - 51200),
    ],
)
def test_moments_are_read(text: str, expected: int | None) -> None:
    assert parse_moment(text, NOW) == expected
    assert shown(NOW) == "2026-09-21T14:13:20Z"


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "+x", "2026", "2026-13-01", "99999999999999"),
        # A key file with these could not be read again.
        *("0001-01-01", "00010101000000", "1969-12-31", "-60y"),
    ],
)
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_moment(text, NOW)
