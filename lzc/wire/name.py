"""Domain names as bytes.

A *wire name* is the uncompressed wire format of RFC 1035 §3.1, root label included:
``b"\\x03www\\x07example\\x00"``. Length octets are at most 63 and so never collide with ``A``–``Z``
(65–90): ``wire.lower()`` is the case-folded name, without looking at labels.

A *node key* is a name relative to its zone's apex, turned so that plain byte order is the canonical
order of RFC 4034 §6.1: labels lower-case, the one nearest the apex first, joined by a zero octet
(octets 0 and 1 inside a label become ``01 01`` and ``01 02``). The apex itself is ``b""``. The name
before a missing name in key order gives the NSEC owner and the closest encloser without a tree.
"""

from __future__ import annotations

MAX_NAME = 255
"""Octets of a wire name at most (RFC 1035 §2.3.4)."""
MAX_LABEL = 63
MAX_POINTERS = 127
"""Compression pointers followed for one name at most: as many as a name may have labels. Without
this a message of 64 KiB may have thousands of names that each take thousands of steps."""

ROOT = b"\x00"

_DIGITS = frozenset(b"0123456789")
_ESCAPED = {octet: b"\\" + bytes([octet]) for octet in b'".;()\\@$'}
_TEXT = [
    _ESCAPED.get(o, bytes([o]) if 33 <= o <= 126 else b"\\%03d" % o).decode("ascii")
    for o in range(256)
]


class InvalidName(ValueError):
    """Text or octets that are no domain name; the message says why."""


def from_text(text: str | bytes, origin: bytes | None = None) -> bytes:
    """The wire name of presentation format (RFC 1035 §5.1), its case kept.

    ``\\DDD`` and ``\\X`` escapes are undone; a name without a final dot is completed with
    ``origin`` (a wire name), and ``@`` alone is the origin. Raises `InvalidName` for empty or long
    labels, names over 255 octets, bad escapes, and relative names without an origin.
    """
    try:
        raw = text.encode("utf-8") if isinstance(text, str) else text
    except UnicodeEncodeError:
        # From a command line, or the name of a file.
        raise InvalidName("octets that are not UTF-8; write them as \\DDD") from None
    if raw == b".":
        return ROOT
    if raw == b"@":
        if origin is None:
            raise InvalidName("'@' stands for the origin, but there is none")
        return origin
    if not raw:
        raise InvalidName("empty name")
    if len(raw) > 4 * MAX_NAME:
        # Each octet takes four characters at most.
        raise InvalidName(f"name of over {MAX_NAME} octets; that is the most allowed")
    if b"\\" in raw:
        labels, absolute = _unescape(raw)
    else:
        labels = raw.split(b".")
        absolute = not labels[-1]
        if absolute:
            labels.pop()
    pieces: list[bytes] = []
    for label in labels:
        if not label:
            raise InvalidName("empty label (two dots in a row, or a dot in front)")
        if len(label) > MAX_LABEL:
            raise InvalidName(f"label of {len(label)} octets; at most {MAX_LABEL} are allowed")
        pieces.append(bytes((len(label),)) + label)
    if absolute:
        pieces.append(ROOT)
    elif origin is None:
        raise InvalidName("relative name, but there is no origin")
    else:
        pieces.append(origin)
    wire = b"".join(pieces)
    if len(wire) > MAX_NAME:
        raise InvalidName(f"name of {len(wire)} octets; at most {MAX_NAME} are allowed")
    return wire


def _unescape(raw: bytes) -> tuple[list[bytes], bool]:
    labels: list[bytes] = []
    label = bytearray()
    absolute = False
    position, end = 0, len(raw)
    while position < end:
        octet = raw[position]
        position += 1
        absolute = False
        if octet == 0x2E:
            labels.append(bytes(label))
            label.clear()
            absolute = True
        elif octet != 0x5C:
            label.append(octet)
        elif position < end and raw[position] in _DIGITS:
            digits = raw[position : position + 3]
            if len(digits) < 3 or not _DIGITS.issuperset(digits) or int(digits) > 255:
                raise InvalidName("bad escape: \\DDD takes three digits, 000 to 255")
            label.append(int(digits))
            position += 3
        elif position < end:
            label.append(raw[position])
            position += 1
        else:
            raise InvalidName("backslash at the end of the name")
    if not absolute:
        labels.append(bytes(label))
    return labels, absolute


def below(text: bytes, origin: bytes) -> bytes:
    """The lower-case wire name of presentation format that stands below ``origin``, with a final
    dot too; of none, or of the dot alone, that is ``origin``. Raises `InvalidName`."""
    relative = text if text.endswith(b"\\.") else text.removesuffix(b".")
    if relative.endswith(b".") and not relative.endswith(b"\\."):
        raise InvalidName("empty label (two dots in a row, or a dot in front)")
    if not relative:
        return origin.lower()
    # As a label of its own it has no meaning.
    name = from_text(b"\\@" if relative == b"@" else relative, origin)
    return name.lower()


def to_text(wire: bytes) -> str:
    """Presentation format of a wire name, absolute, escaped as RFC 1035 §5.1 asks."""
    if wire == ROOT:
        return "."
    return "".join("".join(_TEXT[octet] for octet in label) + "." for label in labels_of(wire))


def labels_of(wire: bytes) -> list[bytes]:
    """The labels of a wire name, leftmost first, the root label left out."""
    labels: list[bytes] = []
    position = 0
    while length := wire[position]:
        position += 1
        labels.append(wire[position : position + length])
        position += length
    return labels


def from_labels(labels: list[bytes]) -> bytes:
    """The absolute wire name of labels, leftmost first. The inverse of `labels_of`."""
    return b"".join([bytes((len(label),)) + label for label in labels]) + ROOT


def parent(wire: bytes) -> bytes:
    """The name without its leftmost label; the root's parent is the root."""
    return wire[1 + wire[0] :] if wire[0] else wire


def is_subdomain(name: bytes, ancestor: bytes) -> bool:
    """True when ``name`` is ``ancestor`` or below it (RFC 9499: subdomain). Both lower-case."""
    if not name.endswith(ancestor):
        return False
    cut = len(name) - len(ancestor)
    position = 0
    while position < cut:
        position += 1 + name[position]
    return position == cut


def key_of_labels(labels: list[bytes]) -> bytes:
    """The node key of relative, lower-case labels, leftmost first."""
    labels = labels[::-1]
    key = b"\x00".join(labels)
    if b"\x01" in key or key.count(b"\x00") >= len(labels):
        key = b"\x00".join(
            [x.replace(b"\x01", b"\x01\x02").replace(b"\x00", b"\x01\x01") for x in labels]
        )
    return key


def key_of(name: bytes, apex: bytes) -> bytes:
    """The node key of ``name``, which is at or below ``apex``; both are lower-case wire names."""
    end = len(name) - len(apex)
    if not end:
        return b""
    if name[0] + 1 == end:
        label = name[1:end]
        if b"\x00" not in label and b"\x01" not in label:
            return label
    labels: list[bytes] = []
    position = 0
    while position < end:
        length = name[position]
        position += 1
        labels.append(name[position : position + length])
        position += length
    return key_of_labels(labels)


def key_labels(key: bytes) -> list[bytes]:
    """The relative labels of a node key, leftmost first (none for the apex)."""
    if not key:
        return []
    labels = key.split(b"\x00")
    if b"\x01" in key:
        labels = [x.replace(b"\x01\x01", b"\x00").replace(b"\x01\x02", b"\x01") for x in labels]
    labels.reverse()
    return labels


def wildcard_of(key: bytes) -> bytes:
    """The node key of the wildcard right below a name (RFC 4592 §2.1.1)."""
    return key + b"\x00*" if key else b"*"


def is_wildcard_key(key: bytes) -> bool:
    """True for the node key of a wildcard."""
    return key == b"*" or key.endswith(b"\x00*")


def is_wildcard(name: bytes) -> bool:
    """True for the wire name of a wildcard."""
    return name.startswith(b"\x01*")


def relative_of_key(key: bytes) -> bytes:
    """The wire form of a node key, without apex and root label (``b""`` for the apex)."""
    if b"\x00" not in key and b"\x01" not in key:
        return bytes((len(key),)) + key if key else b""
    return b"".join([bytes((len(label),)) + label for label in key_labels(key)])


def from_wire(message: bytes, offset: int) -> tuple[bytes, int]:
    """Read a possibly compressed name out of a message (RFC 1035 §4.1.4).

    Returns the uncompressed wire name, case kept, and the offset of what follows it. Raises
    `InvalidName` when the name runs out of the message, points forward, follows more than
    `MAX_POINTERS` pointers, or is over 255 octets.
    """
    pieces: list[bytes] = []
    size = 1
    left = MAX_POINTERS
    following = -1
    limit = offset
    end = len(message)
    while True:
        if offset >= end:
            raise InvalidName("name runs past the end of the message")
        length = message[offset]
        if length == 0:
            pieces.append(ROOT)
            return b"".join(pieces), offset + 1 if following < 0 else following
        if length < 64:
            if offset + 1 + length > end:
                raise InvalidName("label runs past the end of the message")
            size += 1 + length
            if size > MAX_NAME:
                raise InvalidName("name over 255 octets")
            pieces.append(message[offset : offset + 1 + length])
            offset += 1 + length
        elif length >= 192:
            if offset + 2 > end:
                raise InvalidName("compression pointer runs past the end of the message")
            target = (length & 63) << 8 | message[offset + 1]
            if following < 0:
                following = offset + 2
            if target >= limit:
                raise InvalidName("compression pointer does not point backwards")
            left -= 1
            if left < 0:
                raise InvalidName(f"more than {MAX_POINTERS} compression pointers in one name")
            limit = offset = target
        else:
            raise InvalidName("label type 0x40 or 0x80 (RFC 6891 §5 retired them)")
