"""Addresses from names and names from addresses: createForward and its like without Lua.

Only of names that leave no doubt, as `createReverse` itself makes them: others are left to Lua
(`None`), which reads them as PowerDNS does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

from lzc.lua import address
from lzc.lua.plan.format import NOTHING, Text
from lzc.lua.plan.locations import is_within

_OCTET: Final = re.compile(rb"0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5]")
_NIBBLES: Final = re.compile(rb"[0-9a-fA-F]{32}")
_DIGITS: Final = {
    "ten": re.compile(rb"..([0-9a-fA-F]{8})", re.DOTALL),
    "ending": re.compile(rb".*([0-9a-fA-F]{8})", re.DOTALL),
}
"""Eight of them in a label that make an address."""
_PLACEHOLDER: Final = re.compile(rb"%([0-9]*)%")
_PLAIN: Final = re.compile(rb"[A-Za-z0-9_-]+")


def labels_of(name: bytes) -> list[bytes]:
    """The labels of a wire name, without the root's."""
    found = []
    position = 0
    while length := name[position]:
        found.append(name[position + 1 : position + 1 + length])
        position += 1 + length
    return found


def text_of(name: bytes) -> bytes | None:
    """A name as it is written, or nothing where a label holds more than letters, digits, hyphens
    and underscores."""
    labels = labels_of(name)
    if not labels or not all(map(_PLAIN.fullmatch, labels)):
        return None
    return b".".join(labels) + b"."


@lru_cache(maxsize=64)
def _apex_depth(apex: bytes) -> int:
    return len(labels_of(apex))


def _forward(digits: str, behind: int) -> Text:
    """``createForward``"""
    pattern = _DIGITS[digits]

    def forward(who: bytes, qname: bytes, apex: bytes) -> bytes | None:
        labels = labels_of(qname)
        count = len(labels) - (behind or _apex_depth(apex))
        if count >= 4:
            parts = labels[:4]
        elif count >= 1:
            parts = labels[0].split(b"-")
            if len(parts) < 4:
                return _forward_hex(pattern.fullmatch(labels[0]))
            parts = parts[-4:]
        else:
            return None
        return b".".join(parts) if all(map(_OCTET.fullmatch, parts)) else None

    return forward


def _forward_hex(found: re.Match[bytes] | None) -> bytes | None:
    return None if found is None else b"%d.%d.%d.%d" % tuple(bytes.fromhex(found[1].decode()))


def _forward6(_digits: str, behind: int) -> Text:
    """``createForward6``; of digits alone, Lua says what they are."""

    def forward6(who: bytes, qname: bytes, apex: bytes) -> bytes | None:
        labels = labels_of(qname)
        count = len(labels) - (behind or _apex_depth(apex))
        if count == 1:
            written = labels[0].replace(b"-", b":")
        elif count == 8:
            written = b":".join(labels[:8])
        else:
            return None
        found = address.parse(written)
        return None if found is None or len(found[0]) != 16 else found[1]

    return forward6


def candidates_of(qname: bytes) -> list[tuple[tuple[bytes], bytes]]:
    """The IPv4 addresses that ``closestMagic`` reads in a name: each as an outcome, and packed."""
    found = []
    for label in labels_of(qname):
        parsed = address.parse(label.replace(b"-", b"."))
        if parsed is None:
            break
        if len(parsed[0]) != 4:
            return []
        found.append(((parsed[0],), parsed[0]))
    return found


def _filtered(
    maker: Callable[[str, int], Text],
    networks: list[Any] | None,
    instead: str | None,
    digits: str,
    behind: int,
) -> Text:
    """An address from a name; or, of ``filterForward``, only one in the networks (in hex, with
    their lengths), and otherwise ``instead``, or nothing."""
    make = maker(digits, behind)
    if networks is None:
        return make
    inside = is_within(networks)
    fallback = NOTHING if instead is None else instead.encode("latin-1")

    def filtered(who: bytes, qname: bytes, apex: bytes) -> bytes | None:
        text = make(who, qname, apex)
        found = None if text is None else address.parse(text)
        if found is None:
            return None
        return text if inside(found[0]) else fallback

    return filtered


def _read_reverse(labels: list[bytes], zeros: bool) -> tuple[str, tuple[bytes, ...]] | None:
    """The address that labels say, in hex, and what ``createReverse`` may put into its pattern."""
    octets = labels[3::-1]
    if len(octets) < 4 or not all(map(_OCTET.fullmatch, octets)):
        return None
    digits = b"%02x%02x%02x%02x" % tuple(map(int, octets))
    return digits.decode(), (*octets, b"-".join(octets), digits)


def _read_reverse6(labels: list[bytes], zeros: bool) -> tuple[str, tuple[bytes, ...]] | None:
    """Likewise of ``createReverse6``; with ``zeros``, no hyphen stands at an end."""
    nibbles = labels[31::-1]
    digits = b"".join(nibbles)
    if len(nibbles) < 32 or not _NIBBLES.fullmatch(digits):
        return None
    packed = bytes.fromhex(digits.decode())
    groups = [digits[place : place + 4] for place in range(0, 32, 4)]
    dashed = address.to_text(packed).replace(b":", b"-")
    if zeros:
        dashed = b"0" * dashed.startswith(b"-") + dashed + b"0" * dashed.endswith(b"-")
    return packed.hex(), (*nibbles, dashed, *groups)


def _reverse(
    read: Callable[[list[bytes], bool], tuple[str, tuple[bytes, ...]] | None],
    pattern: str,
    exceptions: dict[str, str],
    zeros: bool,
) -> Text:
    """A name from the address in a name. In the pattern ``%1%`` and so on stand for parts of it,
    and ``%%`` for a percent sign; ``exceptions`` are names by addresses in hex."""
    pieces = _PLACEHOLDER.split(pattern.encode("latin-1"))
    first, texts = pieces[0], pieces[2::2]
    numbers = [int(digits) if digits else -1 for digits in pieces[1::2]]
    others = {key: name.encode("latin-1") for key, name in exceptions.items()}

    def name(who: bytes, qname: bytes, apex: bytes) -> bytes | None:
        found = read(labels_of(qname), zeros)
        if found is None:
            return None
        key, values = found
        if key in others:
            return others[key]
        filled = [first]
        for number, text in zip(numbers, texts, strict=True):
            if number < 0:
                filled.append(b"%")
            elif 0 < number <= len(values):
                filled.append(values[number - 1])
            filled.append(text)
        return b"".join(filled)

    return name


TEXTS: Final[dict[str, Callable[..., Text]]] = {
    "forward": partial(_filtered, _forward),
    "forward6": partial(_filtered, _forward6),
    "reverse": partial(_reverse, _read_reverse),
    "reverse6": partial(_reverse, _read_reverse6),
}
"""By the names of their operations."""
