"""RR type numbers and mnemonics."""

import dns.rdatatype
import pytest

from lzc.wire import rrtype


@pytest.mark.parametrize(
    ("text", "number"),
    [("A", 1), ("aaaa", 28), ("NSAP-PTR", 23), ("LUA", 65402), ("TYPE1", 1), ("type65535", 65535)],
)
def test_mnemonics_and_generic_names_are_read(text: str, number: int) -> None:
    assert rrtype.from_text(text) == number


@pytest.mark.parametrize("text", ["", "FOO", "TYPE", "TYPE65536", "TYPE-1", "TYPE1x", "TYPE٣"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unknown RR type"):
        rrtype.from_text(text)


def test_types_without_a_mnemonic_print_as_rfc_3597_says() -> None:
    assert rrtype.to_text(65280) == "TYPE65280"
    assert rrtype.to_text(65402) == "LUA"


def test_numbers_agree_with_dnspython_which_knows_none_that_we_do_not() -> None:
    for kind in dns.rdatatype.RdataType:
        if kind:
            mnemonic = kind.name.replace("_", "-")
            assert (rrtype.from_text(mnemonic), rrtype.to_text(kind)) == (kind, mnemonic)


def test_every_mnemonic_reads_back() -> None:
    for number in rrtype.MNEMONICS:
        assert rrtype.from_text(rrtype.to_text(number)) == number
