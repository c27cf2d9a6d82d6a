"""BIND's key files: ``K<zone>+<algorithm>+<tag>.private`` and ``.key``.

The format is that of dnssec-keygen, version 1.3. Version 1.2, which has no timing metadata, is what
``pdnsutil export-zone-key`` prints and ``pdnsutil import-zone-key`` takes; it takes 1.3 as well.
The file of a key in a token (PKCS #11) says where it lies, as those of ``dnssec-keyfromlabel`` do.
This module turns text into keys and back; `lzc.dnssec.keystore.keystore` reads and writes the
files.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import dataclasses
import os
import re
import time
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa

from lzc.dnssec import algorithms
from lzc.dnssec.algorithms import PrivateKey
from lzc.dnssec.key import PROTOCOL, REVOKE, SEP, ForeignKey, SigningKey
from lzc.dnssec.life.timing import Timing
from lzc.dnssec.token.key import TokenKey
from lzc.dnssec.token.uri import InvalidUri, TokenUri, parse
from lzc.wire import name as wire_name


class InvalidKeyFile(ValueError):
    """A key file that cannot be read; ``line`` counts from 1 (0: the file as a whole). The message
    never holds key material."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


_TIMES: Final = {
    one.name.title().replace("_", "").replace("Ds", "DS"): one.name
    for one in dataclasses.fields(Timing)
}
"""BIND's names of dates, such as ``SyncPublish``, to ours."""
_RELATIVES: Final = ("Predecessor", "Successor")

_RSA_FIELDS: Final = (
    "Modulus",
    "PublicExponent",
    "PrivateExponent",
    "Prime1",
    "Prime2",
    "Exponent1",
    "Exponent2",
    "Coefficient",
)

MIN_RSA_BITS: Final = 1024
"""Bits of an RSA modulus that is read: validators refuse shorter ones."""
MAX_RSA_BITS: Final = 4096
MAX_EXPONENT_BITS: Final = 32
"""BIND takes no exponents that are much longer, and a signature with one takes long to check."""
_WHOLE: Final = frozenset({algorithms.ED25519, algorithms.ED448})
"""Algorithms whose private keys are octets rather than a number, which may be short."""

Fields = dict[str, tuple[str, int]]


def zone_part(zone: bytes) -> str:
    """What the names of a zone's key files begin with: ``Kexample.org``. It is written in lower
    case; octets other than letters, digits, ``-`` and ``_`` become ``%XX``, as in BIND."""
    labels = [
        re.sub(rb"[^a-z0-9_-]", lambda found: b"%%%02X" % found[0][0], label).decode("ascii")
        for label in wire_name.labels_of(zone.lower())
    ]
    return f"K{'.'.join(labels)}"


def base_name(zone: bytes, algorithm: int, tag: int) -> str:
    """The file name without its suffix: ``Kexample.org.+013+04711``."""
    return f"{zone_part(zone)}.+{algorithm:03}+{tag:05}"


def zone_of(base: str) -> bytes | None:
    """The lower-case wire name of the zone in a key file's name, ``None`` for other file names."""
    found = re.fullmatch(r"K(.*)\.\+\d{3}\+\d{5}", base)
    if found is None:
        return None
    labels = [
        re.sub(rb"%([0-9A-F]{2})", lambda octet: bytes((int(octet[1], 16),)), label)
        for label in os.fsencode(found[1]).split(b".")
        if label
    ]
    if sum(len(label) + 1 for label in labels) >= wire_name.MAX_NAME:
        return None
    if any(len(label) > wire_name.MAX_LABEL for label in labels):
        return None
    return wire_name.from_labels(labels).lower()


def number_of(base: str) -> tuple[int, int] | None:
    """The algorithm and the key tag in a key file's name; ``None`` for other file names."""
    found = re.fullmatch(r"K.*\.\+(\d{3})\+(\d{5})", base)
    return (int(found[1]), int(found[2])) if found else None


def parse_private(text: str) -> tuple[int, PrivateKey, Timing]:
    """Algorithm number, private key and timing of a ``.private`` file: see `parse_whole`."""
    whole = parse_whole(text)
    if isinstance(whole.private, TokenUri):
        raise InvalidKeyFile("the key lies in a token, not in the file")
    return whole.algorithm, whole.private, whole.timing


class PrivateFile(NamedTuple):
    """What a ``.private`` file says. ``private`` is the key, or where in a token it lies;
    ``predecessor`` and ``successor`` are the tags of keys in a rollover."""

    algorithm: int
    private: PrivateKey | TokenUri
    timing: Timing
    predecessor: int | None = None
    successor: int | None = None


def parse_whole(text: str, *, known: bool = False) -> PrivateFile:
    """All that a ``.private`` file says.

    Lines without a colon, as the DNSKEY that PowerDNS may print along, are passed over, and fields
    that lzc has no use for are ignored. A key is ``known`` when it was read in full before: whether
    the factors of an RSA key are primes, which takes 37 ms to find out, is not looked at again,
    only that its numbers fit together. Raises `InvalidKeyFile`.
    """
    fields = parse_fields(text)
    version, line = fields.get("Private-key-format", ("", 0))
    if not re.fullmatch(r"v1\.\d+", version):
        raise InvalidKeyFile(
            f"private key format {version} is unknown; lzc reads v1.2 and v1.3"
            if version
            else "not a BIND private key file: Private-key-format is missing",
            line,
        )
    number, line = fields.get("Algorithm", ("", 0))
    try:
        algorithm = algorithms.from_text(number.split(" ")[0])
    except ValueError as error:
        raise InvalidKeyFile(str(error), line) from error
    private: PrivateKey | TokenUri
    try:
        if "Label" in fields or "Engine" in fields:
            private = _label(fields)
        elif algorithm in algorithms.RSA:
            private = _rsa(fields, known)
        else:
            private = _scalar(algorithm, fields)
    except InvalidKeyFile:
        raise
    except ValueError as error:
        # The library's message may quote numbers of the key.
        raise InvalidKeyFile(f"the numbers are no {algorithms.to_text(algorithm)} key") from error
    times = {slot: parse_time(*fields[name]) for name, slot in _TIMES.items() if name in fields}
    return PrivateFile(algorithm, private, Timing(**times), *_relatives(fields))


def _relatives(fields: Fields) -> tuple[int | None, int | None]:
    found: list[int | None] = []
    for name in _RELATIVES:
        value, line = fields.get(name, ("", 0))
        if value and not (value.isascii() and value.isdigit() and int(value) < 2**16):
            raise InvalidKeyFile(f"{name} is not a key tag", line)
        found.append(int(value) if value else None)
    return found[0], found[1]


def parse_fields(text: str) -> Fields:
    """The lines ``Name: value`` of a ``.private`` or ``.state`` file, by name, each with the number
    of its line. Raises `InvalidKeyFile`."""
    fields: Fields = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, value = line.partition(":")
        if not colon or name.startswith(";"):
            continue
        if name in fields:
            raise InvalidKeyFile(f"{name[:40]} stands here a second time", number)
        fields[name] = (value.strip(), number)
    return fields


def _octets(fields: Fields, name: str) -> bytes:
    if name not in fields:
        raise InvalidKeyFile(f"{name} is missing")
    value, line = fields[name]
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidKeyFile(f"{name} is not base64", line) from error


def _label(fields: Fields) -> TokenUri:
    """Where a key lies: BIND has its label as a string of C, in base64."""
    label = _octets(fields, "Label")
    try:
        return parse(label.removesuffix(b"\0").decode())
    except (InvalidUri, UnicodeDecodeError) as error:
        said = str(error) if isinstance(error, InvalidUri) else "not UTF-8"
        raise InvalidKeyFile(f"Label: {said}", fields["Label"][1]) from error


def check_rsa(modulus: int, exponent: int) -> None:
    """Raises `InvalidKeyFile` for a new key with so many bits that validators refuse it."""
    if modulus > MAX_RSA_BITS:
        raise InvalidKeyFile(
            f"an RSA modulus of {modulus} bits is too long; at most {MAX_RSA_BITS} (RFC 5702 §2.1)"
        )
    if exponent > MAX_EXPONENT_BITS:
        raise InvalidKeyFile(
            f"an RSA exponent of {exponent} bits is too long; validators take"
            f" {MAX_EXPONENT_BITS} at most"
        )


def _rsa(fields: Fields, known: bool) -> PrivateKey:
    n, e, d, p, q, dp, dq, qinv = (
        int.from_bytes(_octets(fields, name), "big") for name in _RSA_FIELDS
    )
    if n.bit_length() < MIN_RSA_BITS:
        raise InvalidKeyFile(f"an RSA modulus of {n.bit_length()} bits is too short")
    if not known:
        check_rsa(n.bit_length(), e.bit_length())
    fits = (
        min(p, q) > 1
        and n == p * q
        and e * d % (p - 1) == e * d % (q - 1) == 1
        and (dp, dq) == (d % (p - 1), d % (q - 1))
        and q * qinv % p == 1
    )
    if not fits:
        raise InvalidKeyFile("the numbers of the RSA key do not fit together")
    numbers = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qinv, rsa.RSAPublicNumbers(e, n))
    return numbers.private_key(unsafe_skip_rsa_key_validation=known)


def _scalar(algorithm: int, fields: Fields) -> PrivateKey:
    secret = _octets(fields, "PrivateKey")
    size = algorithms.OCTETS[algorithm]
    if len(secret) > size or (len(secret) < size and algorithm in _WHOLE):
        raise InvalidKeyFile(
            f"PrivateKey has {len(secret)} octets, not {size}", fields["PrivateKey"][1]
        )
    return algorithms.from_scalar(algorithm, secret)


def parse_time(text: str, line: int) -> int:
    """A date of a key file, seconds since the epoch. Raises `InvalidKeyFile`."""
    stamp = text.split(" ")[0]
    try:
        return _moment(stamp)
    except ValueError as error:
        raise InvalidKeyFile("not a time; expected YYYYMMDDHHMMSS in UTC", line) from error


@lru_cache(maxsize=4096)
def _moment(stamp: str) -> int:
    """Thousands of keys have few dates, and `time.strptime` takes a tenth of reading a key."""
    if len(stamp) != 14:
        raise ValueError(stamp)
    return calendar.timegm(time.strptime(stamp, "%Y%m%d%H%M%S"))


def format_time(moment: int) -> str:
    """A moment, seconds since the epoch, as key files have it."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(moment))


def format_private(key: SigningKey) -> str:
    """The text of a ``.private`` file, version 1.3."""
    lines = [
        "Private-key-format: v1.3",
        f"Algorithm: {key.algorithm} ({algorithms.to_text(key.algorithm)})",
    ]
    if isinstance(key.private, TokenKey):
        engine, label = (_base64(one + b"\0") for one in (b"pkcs11", str(key.token).encode()))
        lines += [f"Engine: {engine}", f"Label: {label}"]
    elif isinstance(key.private, rsa.RSAPrivateKey):
        secret = key.private.private_numbers()
        public = secret.public_numbers
        factors = secret.p, secret.q, secret.dmp1, secret.dmq1, secret.iqmp
        numbers = public.n, public.e, secret.d, *factors
        lines += [
            f"{name}: {_base64(number.to_bytes((number.bit_length() + 7) // 8, 'big'))}"
            for name, number in zip(_RSA_FIELDS, numbers, strict=True)
        ]
    else:
        lines.append(f"PrivateKey: {_base64(algorithms.scalar(key.private))}")
    relatives = zip(_RELATIVES, (key.predecessor, key.successor), strict=True)
    lines += [f"{name}: {tag}" for name, tag in relatives if tag is not None]
    lines += [f"{name}: {format_time(moment)}" for name, moment in _times(key.timing)]
    return "\n".join(lines) + "\n"


def format_public(key: SigningKey | ForeignKey) -> str:
    """The text of a ``.key`` file: comments, then the DNSKEY in presentation format."""
    zone = wire_name.to_text(key.zone)
    role = "key-signing key" if key.flags & SEP else "zone-signing key"
    role = f"revoked {role}" if key.flags & REVOKE else role
    lines = [f"; This is a {role}, keyid {key.tag}, for {zone}"]
    for name, moment in _times(key.timing):
        spelt = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(moment))
        lines.append(f"; {name}: {format_time(moment)} ({spelt})")
    lines.append(
        f"{zone} IN DNSKEY {key.flags} {PROTOCOL} {key.algorithm} {_base64(key.dnskey[4:])}"
    )
    return "\n".join(lines) + "\n"


def parse_public(text: str) -> tuple[bytes, bytes]:
    """The owner (lower-case wire name) and the RDATA of the one DNSKEY in a ``.key`` file.

    Raises `InvalidKeyFile`.
    """
    lines = ((number, words_of(line)) for number, line in enumerate(text.splitlines(), 1))
    records = [(number, words) for number, words in lines if words]
    if len(records) != 1 or "DNSKEY" not in records[0][1]:
        raise InvalidKeyFile("expected one DNSKEY record on a line of its own")
    line, words = records[0]
    after = words.index("DNSKEY") + 1
    try:
        flags, protocol, algorithm = (int(word) for word in words[after : after + 3])
        public = base64.b64decode("".join(words[after + 3 :]), validate=True)
        head = flags.to_bytes(2, "big") + bytes((protocol, algorithm))
        return wire_name.from_text(words[0], wire_name.ROOT).lower(), head + public
    except (ValueError, OverflowError) as error:
        raise InvalidKeyFile("not a DNSKEY record", line) from error


def words_of(line: str) -> list[str]:
    """The words of a line of a zone file, without its comment; names may have ``\\;`` in them."""
    found = re.match(r"(?:[^;\\]|\\.)*", line)
    return found[0].split() if found is not None else []


def parse_public_times(text: str) -> Timing:
    """The dates in the comments of a ``.key`` file. Raises `InvalidKeyFile`."""
    times = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"; ([A-Za-z]+): (\d.*)", line)
        if found is not None and found[1] in _TIMES:
            times[_TIMES[found[1]]] = parse_time(found[2], number)
    return Timing(**times)


def _times(timing: Timing) -> list[tuple[str, int]]:
    moments = ((name, getattr(timing, slot)) for name, slot in _TIMES.items())
    return [(name, moment) for name, moment in moments if moment is not None]


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
