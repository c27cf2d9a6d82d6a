"""Names that know their place are those of dnspython in all that is asked of them."""

from __future__ import annotations

import dns.name
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lzc.dnssec.validation.names import OrderedName, of_labels, of_wire, ordered, shared

LABELS = st.one_of(
    st.sampled_from([b"a", b"A", b"*", b"ab", b"B", b"\x01", b"z", b"\xc3\xa9"]),
    st.binary(min_size=1, max_size=5),
)
NAMES = st.lists(LABELS, max_size=5).map(lambda labels: dns.name.Name((*labels, b"")))
BETWEEN = dns.name.Name((b"~AA\xc3", b"{AA\x00", b"a", b"\x00\x00\x00\x00", b"\x00" * 5, b""))
"""Its number is more than integers have as their own hash, and less than that of any object."""


@given(NAMES, NAMES)
def test_two_names_compare_as_those_of_dnspython(one: dns.name.Name, other: dns.name.Name) -> None:
    mine, theirs = ordered(one), ordered(other)
    for right in (theirs, other):
        assert (mine < right) == (one < other)
        assert (mine <= right) == (one <= other)
        assert (mine > right) == (one > other)
        assert (mine >= right) == (one >= other)
        assert (mine == right) == (one == other)
        assert (mine != right) == (one != other)
        assert mine.is_subdomain(right) == one.is_subdomain(other)
        assert shared(mine, right) == one.fullcompare(other)[2]
    assert (one == theirs) == (one == other)
    assert (one < theirs) == (one < other)


@given(NAMES)
@example(BETWEEN)
def test_a_name_is_found_by_the_one_of_dnspython(name: dns.name.Name) -> None:
    assert hash(ordered(name)) == hash(name)
    mine: dict[dns.name.Name, int] = {ordered(name): 1}
    assert mine[name] == 1
    assert {name: 1}[ordered(name)] == 1
    assert str(of_wire(name.to_wire() or b"")) == str(name)


@given(NAMES)
def test_the_name_above_is_made_once(name: dns.name.Name) -> None:
    mine = ordered(name)
    if name == dns.name.root:
        with pytest.raises(dns.name.NoParent):
            mine.parent()
        return
    assert isinstance(mine.parent(), OrderedName)
    assert mine.parent() == name.parent()
    assert mine.parent() is mine.parent()


def test_names_are_kept_in_the_case_that_they_have() -> None:
    assert str(of_labels((b"WWW", b""))) == "WWW."
    assert of_labels((b"WWW", b"")) == of_labels((b"www", b""))
