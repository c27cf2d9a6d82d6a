"""Lines that are all alike are read as any others."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.faults import Fault
from lzc.source import bulk
from lzc.source.uniform import read_addresses
from lzc.zone.model import Zone
from tests.unit.compiling import wire
from tests.unit.zone_text import read_zone_text

APEX = wire("example.org")


def _both(text: str) -> tuple[Zone, list[Fault], int]:
    """What is read, which is what line by line is read, and how many chunks were uniform."""
    uniform = 0

    def counted(*arguments: object) -> bool:
        nonlocal uniform
        done: bool = read_addresses(*arguments)  # type: ignore[arg-type]
        uniform += done
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "CHUNK", 60)
        patch.setattr("lzc.source.bulk.read_addresses", counted)
        zone, faults = read_zone_text(text.encode(), APEX, "zone")
        patch.setattr("lzc.source.bulk.read_addresses", lambda *_: False)
        plain, plain_faults = read_zone_text(text.encode(), APEX, "zone")
    assert zone.records == plain.records
    assert faults == plain_faults
    return zone, faults, uniform


@pytest.mark.parametrize(
    "line",
    [
        "h{n} 300 IN A 192.0.2.{n}\n",
        "h{n} A 192.0.2.{n}\n",
        "H{n}\t IN 1h AAAA  2001:db8::{n} \n",
        "same 5 A 192.0.2.{n}\n",
        "*{n} 0 A 192.0.2.{n}\n",
    ],
)
@pytest.mark.parametrize(
    "head", ["$TTL 60\n", "x 60 TXT x\n", "$ORIGIN sub.example.org.\n$TTL 5\n"]
)
def test_addresses_are_read_by_columns(line: str, head: str) -> None:
    zone, faults, uniform = _both(head + "".join(line.format(n=n) for n in range(50)))
    assert not faults
    assert len(zone.records) >= 50
    assert uniform > 3


@pytest.mark.parametrize(
    "odd",
    [
        " A 192.0.2.1\n",
        "\tA 192.0.2.1\n",
        "\n",
        "x A\n",
        "x A 192.0.2.1 2\n",
        "x A 192.0.2.1\r\n",
        "x A 192.0.2.256\n",
        "x A ::1\n",
        "x 10 A 192.0.2.1\n",
        "x.y A 192.0.2.1\n",
        "x.example.com. A 192.0.2.1\n",
        "x" * 64 + " A 192.0.2.1\n",
        "@ A 192.0.2.1\n",
        "A 192.0.2.1 x\n",
        "x CNAME a\n",
        "x A 192.0.2.1",
    ],
)
@pytest.mark.parametrize("at", [0, 1, 20, 40])
def test_one_line_that_differs_is_read_as_it_stands(odd: str, at: int) -> None:
    lines = [f"h{n} A 192.0.2.{n}\n" for n in range(40)]
    lines.insert(at, odd)
    _both("$TTL 60\n" + "".join(lines))


_FIELDS = st.lists(st.sampled_from(["a", "B.c", "300", "IN", "A", "AAAA", "192.0.2.1", "::1", ""]))


@settings(max_examples=100)
@given(lines=st.lists(_FIELDS, max_size=6), times=st.integers(1, 4), ttl=st.booleans())
def test_any_fields_are_read_the_same_both_ways(
    lines: list[list[str]], times: int, ttl: bool
) -> None:
    text = "".join((" ".join(fields) + "\n") * times for fields in lines)
    _both("$TTL 60\n" * ttl + text)
