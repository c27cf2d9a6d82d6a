"""PKCS #11 URIs: which token, which key, and what has no place in a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.dnssec.token.uri import InvalidUri, TokenUri, parse


def test_a_uri_says_which_token_and_which_key() -> None:
    text = (
        "pkcs11:token=my%20dns;object=k%C3%A9y;id=%00%FFa;serial=17;type=private?pin-source=file:/p"
    )
    assert parse(text) == TokenUri(
        text,
        token="my dns",
        serial="17",
        object="kéy",
        id=b"\x00\xffa",
        pin_source="file:/p",
    )
    assert str(parse(text)) == text
    assert parse(text).names_key
    assert not parse("pkcs11:token=dns").names_key
    assert parse("pkcs11:token=dns;id=1").place == parse("pkcs11:token=dns;id=2").place


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("token=dns", "not a PKCS #11 URI"),
        ("pkcs11:", "names no token"),
        ("pkcs11:object=a", "names no token"),
        ("pkcs11:token=", "token is empty"),
        ("pkcs11:token=a%00", "octet of zeros"),
        ("pkcs11:token=%FF", "not UTF-8"),
        ("pkcs11:token=a b", "written as %XX"),
        ("pkcs11:token=100%", "written as %XX"),
        ("pkcs11:token=a;token=b", "twice"),
        ("pkcs11:token", "not NAME=VALUE"),
        ("pkcs11:token=a;slot-id=1", "slot-id does not tell lzc"),
        ("pkcs11:token=a;type=cert", "type is to be private"),
        ("pkcs11:token=a?module-path=/tmp/evil.so", "module-path is not taken from a URI"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(text: str, problem: str) -> None:
    with pytest.raises(InvalidUri, match=problem):
        parse(text)


@pytest.mark.parametrize("mark", ["?", ";"])
def test_a_pin_in_a_uri_is_refused_and_not_repeated(mark: str) -> None:
    with pytest.raises(InvalidUri, match="pkcs11-pin-file") as error:
        parse(f"pkcs11:token=a;object=b{mark}pin-value=24680")
    assert "24680" not in str(error.value)


def test_the_source_of_a_pin_may_stand_where_bind_has_it() -> None:
    text = "pkcs11:token=a;object=b;pin-source=/etc/pin"
    assert parse(text) == TokenUri(text, token="a", object="b", pin_source="/etc/pin")


@given(st.text(min_size=1).filter(lambda one: "\0" not in one))
def test_any_label_is_named_by_a_uri(label: str) -> None:
    try:
        label.encode()
    except UnicodeEncodeError:
        return
    found = parse("pkcs11:token=dns?pin-source=/pin").of_object(label)
    assert (found.object, found.token, found.pin_source) == (label, "dns", "/pin")
    assert parse(str(found)) == found
