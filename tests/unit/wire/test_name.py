"""Domain names: text, wire, node keys (RFC 1035, RFC 4034 §6.1)."""

import dns.name
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lzc.wire import name

labels = st.lists(st.binary(min_size=1, max_size=20), max_size=6)
EXAMPLE = name.from_text("example.org.")


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (".", b"\x00"),
        ("example.org.", b"\x07example\x03org\x00"),
        ("WWW.Example.org.", b"\x03WWW\x07Example\x03org\x00"),
        ("@", EXAMPLE),
        ("www", b"\x03www" + EXAMPLE),
        (r"a\.b", b"\x03a.b" + EXAMPLE),
        (r"a\046b", b"\x03a.b" + EXAMPLE),
        (r"\@", b"\x01@" + EXAMPLE),
        (r"\000\255.", b"\x02\x00\xff\x00"),
        (r"a\.", b"\x02a." + EXAMPLE),
        ("*.example.org.", b"\x01*" + EXAMPLE),
    ],
)
def test_presentation_format_becomes_wire_format(text: str, wire: bytes) -> None:
    assert name.from_text(text, EXAMPLE) == wire


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty name"),
        ("a..b.", "empty label"),
        (".a.", "empty label"),
        ("a" * 64 + ".", "label of 64 octets"),
        (".".join(["a" * 63] * 4) + ".", "name of 257 octets"),
        ("a\\", "backslash at the end"),
        (r"\25", "bad escape"),
        (r"\256", "bad escape"),
        (r"\2x4", "bad escape"),
        ("\udcff.", "not UTF-8"),
    ],
)
def test_malformed_text_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(name.InvalidName, match=reason):
        name.from_text(text, EXAMPLE)


@pytest.mark.parametrize("text", ["www", "@"])
def test_relative_names_need_an_origin(text: str) -> None:
    with pytest.raises(name.InvalidName, match="origin"):
        name.from_text(text)


@given(labels)
def test_text_round_trip(parts: list[bytes]) -> None:
    wire = name.from_labels(parts)
    assert name.from_text(name.to_text(wire)) == wire
    assert name.labels_of(wire) == parts


@given(labels)
def test_text_reads_the_same_in_dnspython(parts: list[bytes]) -> None:
    wire = name.from_labels(parts)
    assert dns.name.from_text(name.to_text(wire)).to_wire() == wire


@given(labels, labels)
@settings(max_examples=300)
def test_node_keys_sort_in_canonical_order(left: list[bytes], right: list[bytes]) -> None:
    left = [label.lower() for label in left]
    right = [label.lower() for label in right]
    by_key = name.key_of_labels(left) < name.key_of_labels(right)
    assert by_key == (left[::-1] < right[::-1])


@given(labels)
def test_node_keys_lose_nothing(parts: list[bytes]) -> None:
    parts = [label.lower() for label in parts]
    relative = name.from_labels(parts)[:-1]
    assume(len(relative + EXAMPLE) <= name.MAX_NAME)
    key = name.key_of(relative + EXAMPLE, EXAMPLE)
    assert name.key_labels(key) == parts
    assert name.relative_of_key(key) == relative


def test_example_of_rfc_4034_section_6_1_sorts() -> None:
    ordered = [
        "example.",
        "a.example.",
        "yljkjljk.a.example.",
        "z.a.example.",
        "zabc.a.example.",
        "z.example.",
        r"\001.z.example.",
        "*.z.example.",
        r"\200.z.example.",
    ]
    apex = name.from_text("example.")
    keys = [name.key_of(name.from_text(text), apex) for text in ordered]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("child", "ancestor", "expected"),
    [
        ("www.example.org.", "example.org.", True),
        ("example.org.", "example.org.", True),
        ("example.org.", ".", True),
        ("badexample.org.", "example.org.", False),
        ("org.", "example.org.", False),
        (r"x\007example.org.", "example.org.", False),
    ],
)
def test_subdomains_are_told_by_whole_labels(child: str, ancestor: str, expected: bool) -> None:
    assert name.is_subdomain(name.from_text(child), name.from_text(ancestor)) is expected


def test_parent_takes_off_one_label() -> None:
    assert name.parent(name.from_text("www.example.org.")) == EXAMPLE
    assert name.parent(name.ROOT) == name.ROOT


def test_compressed_names_are_followed_backwards() -> None:
    message = b"\x03org\x00" + b"\x07example\xc0\x00" + b"\x03www\xc0\x05" + b"rest"
    assert name.from_wire(message, 15) == (name.from_text("www.example.org."), 21)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\xc0\x00", "backwards"),
        (b"\xc0\x02\x00", "backwards"),
        (b"\x01a\xc0\x00", "backwards"),
        (b"\xc0", "pointer runs past"),
        (b"\x03ww", "label runs past"),
        (b"\x01a", "name runs past"),
        (b"\x41a\x00", "label type"),
        ((b"\x3f" + b"a" * 63) * 4 + b"\x00", "over 255"),
    ],
)
def test_malformed_wire_names_are_refused(message: bytes, reason: str) -> None:
    with pytest.raises(name.InvalidName, match=reason):
        name.from_wire(message, 0)


@given(st.binary(max_size=80), st.integers(0, 80))
@settings(max_examples=500)
def test_no_octets_loop_or_crash_the_reader(message: bytes, offset: int) -> None:
    try:
        wire, following = name.from_wire(message, offset)
    except name.InvalidName:
        return
    assert len(wire) <= name.MAX_NAME
    assert offset < following <= len(message)
