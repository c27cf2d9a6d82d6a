"""Records as signers write them are read as the lexer reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.faults import Fault
from lzc.source import bulk
from lzc.source.signed import read_signed_record
from lzc.zone.model import Zone
from tests.unit.compiling import wire
from tests.unit.zone_text import read_zone_text

APEX = wire("example.org")
SIGNATURE = (
    "PdXIsz0WItbcP6fc7aeS9GwFSA3m1Ho2wEQHYfYFOPYuQsyVI3NXWpCwQrqmYcQqjIZSLNGHBq6yMTcXEBVBGg=="
)
HEAD = "@ 300 SOA ns h 1 2 3 4 5\n"


def _both(text: str) -> tuple[Zone, list[Fault], int]:
    """What is read, which is what the lexer reads, and how many records it was not needed for."""
    fast = 0

    def counted(*arguments: object) -> int:
        nonlocal fast
        found: int = read_signed_record(*arguments)  # type: ignore[arg-type]
        fast += bool(found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "CHUNK", 200)
        patch.setattr(bulk, "read_signed_record", counted)
        zone, faults = read_zone_text(text.encode(), APEX, "zone")
        patch.setattr(bulk, "read_signed_record", lambda *_: 0)
        plain, plain_faults = read_zone_text(text.encode(), APEX, "zone")
    assert zone.records == plain.records
    assert faults == plain_faults
    assert zone.suppressions == plain.suppressions
    return zone, faults, fast


def _rrsig(front: str, covered: str = "A", layout: str = "{0} (\n\t\t{1}\n\t\t{2} )\n") -> str:
    begin = f"{front}RRSIG\t{covered} 13 3 300"
    middle = "20301201000000 20201201000000 12345 example.org."
    return layout.format(begin, middle, f"{SIGNATURE[:50]}\n\t\t{SIGNATURE[50:]}")


@pytest.mark.parametrize(
    "text",
    [
        _rrsig("\t\t\t300\t"),
        _rrsig("www 300 IN "),
        _rrsig("www.example.org. 300 IN "),
        _rrsig("WWW 300 "),
        _rrsig("www "),
        _rrsig("@ 300 "),
        _rrsig("300 300 "),
        _rrsig("www 300 ", layout="{0} {1} (\n{2})\n"),
        _rrsig("www 300 ", layout="{0} {1} (\n{2}\n\n   )\t\n"),
        _rrsig("www 300 ", layout="{0} {1}({2})"),
        f"www 300 RRSIG A 13 3 300 20301201000000 20201201000000 1 @ {SIGNATURE}\n",
        "www 300 NSEC x A RRSIG NSEC\n",
        "\t\t\t300\tNSEC\tx.example.org. A RRSIG TYPE65402 NSEC\n",
        "tgvp1e1bmpjd9cqpo1ebbdohmq9a4jj0 300 IN NSEC3 1 0 0 - (\n"
        "  tgvp1e1bmpjd9cqpo1ebbdohmq9a4jj1\n  A RRSIG )\n",
        "h 300 NSEC3 1 1 5 aabb tgvp1e1bmpjd9cqpo1ebbdohmq9a4jj1\n",
    ],
)
@pytest.mark.parametrize("front", ["", "www 300 A 192.0.2.1\n", "$ORIGIN sub.example.org.\n"])
def test_the_layouts_of_signers_need_no_lexer(text: str, front: str) -> None:
    zone, faults, fast = _both(f"{HEAD}{front}{text}{'' if text.endswith(')') else text}")
    assert faults == []
    assert fast == (1 if text.endswith(")") else 2)
    assert len(zone.records) >= 2


@pytest.mark.parametrize(
    "text",
    [
        _rrsig("www.example.com. 300 "),
        _rrsig(" ", covered="NOTYPE"),
        _rrsig("www 300 ", layout="{0} ( ; by whom\n {1}\n {2} )\n"),
        _rrsig("www 300 ", layout="; lzc: ignore target-missing\n{0} ( {1}\n {2} )\n"),
        _rrsig("www 300 ", layout="{0} ( {1}\n {2} ) ; lzc: ignore target-missing\n"),
        _rrsig("www 300 ", layout="{0} ( {1}\n {2}\n"),
        _rrsig("www 300 ", layout="{0} ( {1}\n {2} ) 1\n"),
        _rrsig("www 300 ", layout="{0} (( {1}\n {2} ))\n"),
        _rrsig("www 300 ", layout="{0} {1}\n {2} )\n"),
        _rrsig("www 300 ", layout="{0} ( {1}\r\n {2} )\r\n"),
        _rrsig("www 300 ", layout="{0} ( {1}\r {2} )\n"),
        _rrsig("www 300 ", layout='{0} ( "{1}" {2} )\n'),
        _rrsig("w\\119w 300 "),
        _rrsig("wé 300 "),
        _rrsig("www 4294967296 "),
        _rrsig("www IN 300 "),
        _rrsig("www CH 300 "),
        _rrsig("x" * 64 + " 300 "),
        _rrsig("a..b 300 "),
        _rrsig(".".join(["x" * 63] * 4) + " 300 "),
        _rrsig("$TTL 300 "),
        "www ( 300\n NSEC x A )\n",
        "www 300 NSEC (" + "\n" * 9000 + "x A )\n",
        "www 300 NSEC x \\# 1 00\n",
        "www 300 NSEC\n",
        "www 300 NSEC ()\n",
        "www 300 nsec x A\n",
        "www 300 NSEC3PARAM 1 0 0 -\n",
    ],
)
@pytest.mark.parametrize("front", ["", HEAD])
def test_what_they_do_not_write_is_for_the_lexer(text: str, front: str) -> None:
    _both(f"{front}{text}\tA 192.0.2.1\nlast 5 A 192.0.2.2\n")


def test_a_ttl_that_is_left_out_is_that_of_the_file() -> None:
    zone, faults, fast = _both(f"$TTL 77\n{HEAD}www NSEC x A\n 5 NSEC x A\n NSEC x A\n")
    assert not faults
    assert fast == 3
    assert [record[3] for record in zone.records] == [300, 77, 5, 77]
    zone, faults, fast = _both(f"{HEAD}www 9 NSEC x A\n NSEC x A\nb 8 A 192.0.2.1\n NSEC x A\n")
    assert [record[3] for record in zone.records] == [300, 9, 9, 8, 8]


_PIECES = st.sampled_from(
    [*'abc()\n\t;"\\$@', " ", "300", "IN", "RRSIG", "NSEC", "NSEC3", "A", "x.example.org.", "\r\n"]
)


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_text_is_read_alike(text: str) -> None:
    _both(f"{HEAD}www 300 {text}\nlast 5 NSEC a A\n")
