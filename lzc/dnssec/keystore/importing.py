"""Keys of other servers: what is read from their files, and what it means here.

These are BIND's (``.private`` with ``.key``, and ``.state`` of ``dnssec-policy``), what PowerDNS
prints (``pdnsutil export-zone-key``, ``zone export-key``, and both with ``-pem``), and keys in PEM
as OpenSSL and Knot DNS have them.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lzc.dnssec import algorithms
from lzc.dnssec.algorithms import PrivateKey
from lzc.dnssec.key import SigningKey
from lzc.dnssec.keystore import bindfile, key_files
from lzc.dnssec.keystore.bindfile import InvalidKeyFile, PrivateFile
from lzc.dnssec.keystore.state_file import KeyState
from lzc.dnssec.life.outlook import when
from lzc.dnssec.life.timing import Timing
from lzc.dnssec.token.key import TokenKey
from lzc.dnssec.token.sessions import Tokens
from lzc.dnssec.token.uri import TokenUri
from lzc.faults import InputError

_PEM: Final = "-----BEGIN "


@dataclass(frozen=True, slots=True)
class Imported:
    """A key that was read, and in words what its new owner should know of it."""

    key: SigningKey
    notes: tuple[str, ...] = ()


def read(
    file: Path,
    zone: bytes,
    now: float,
    flags: int | None = None,
    algorithm: int | None = None,
    tokens: Tokens | None = None,
) -> Imported:
    """The key in a file, for a zone (wire name). ``flags`` (256 or 257) win over those of the
    ``.key`` file beside it; without either it is refused. ``algorithm`` is needed for an RSA key in
    PEM. A key goes by the ``.state`` file beside it, then by its dates, and without any it is
    active from ``now`` on, seconds since the epoch. A key of BIND that lies in a token has to be in
    one of ``tokens``. Raises `InputError`."""
    zone = zone.lower()
    text = key_files.read_private(file)
    try:
        if _PEM in text:
            found = PrivateFile(*_read_pem(text, algorithm), Timing())
        else:
            found = bindfile.parse_whole(text)
    except InvalidKeyFile as error:
        raise InputError(key_files.damaged(file, zone, error)) from error
    number, timing = found.algorithm, found.timing
    if algorithm not in (None, number):
        said = algorithms.to_text(number)
        fix = f"leave --algorithm out, or say {said}"
        raise InputError.at(file, "key-algorithm", f"the key is one of {said}", fix=fix)
    public, dnskey = file.with_suffix(".key"), b""
    if file.suffix == ".private" and public.exists():
        dnskey, _ = key_files.read_public(public, zone)
        flags = flags or int.from_bytes(dnskey[:2], "big")
    if flags is None:
        raise InputError.at(
            file,
            "key-role-unknown",
            "the file does not say whether the key is a KSK or a ZSK",
            why="only the DNSKEY holds the flags, and there is no .key file beside it",
            fix="add --ksk (also for a CSK) or --zsk",
        )
    state = None
    if file.suffix == ".private":
        state = key_files.read_state(file.with_suffix(".state"), zone)
    notes: tuple[str, ...] = ()
    if state is not None:
        before, timing = timing, state.timing(now)
        notes = _notes(state, before, now)
    elif timing == Timing():
        timing = Timing(created=int(now), publish=int(now), activate=int(now))
    private: PrivateKey | TokenKey
    if isinstance(found.private, TokenUri):
        within = tokens or Tokens()
        public_half = within.public(found.private, number)
        private = TokenKey(found.private, number, public_half, within)
    else:
        private = found.private
    key = SigningKey.make(zone, number, flags, private, timing)
    key = replace(key, predecessor=found.predecessor, successor=found.successor)
    if dnskey:
        key_files.check_match(public, dnskey, key)
    return Imported(key, notes)


def of_token(
    uri: TokenUri, zone: bytes, now: float, flags: int, algorithm: int, tokens: Tokens
) -> SigningKey:
    """The key of a zone that lies in a token, active from ``now`` on. Raises `Unreachable`."""
    moment = int(now)
    private = TokenKey(uri, algorithm, tokens.public(uri, algorithm), tokens)
    timing = Timing(created=moment, publish=moment, activate=moment)
    return SigningKey.make(zone.lower(), algorithm, flags, private, timing)


def _notes(state: KeyState, dates: Timing, now: float) -> tuple[str, ...]:
    """What is otherwise than the dates in the files say."""
    notes = []
    goes_by = f"BIND's state is {state.goal} to be, DNSKEY {state.dnskey}, DS {state.ds}"
    if state.leaves:
        notes.append(
            f"{goes_by}: BIND was about to withdraw it, and lzc publishes"
            f"{' it and signs with it' if state.signs else ' it'} until you retire and remove it"
        )
    elif dates.state(now) != state.timing(now).state(now):
        was, is_now = dates.state(now), state.timing(now).state(now)
        notes.append(f"{goes_by}: it is {is_now}, though its dates say that it is {was}")
    for name, moment in (("Retired", state.retired), ("Removed", state.removed)):
        if moment is not None and moment > now:
            notes.append(f"BIND planned it to be {name.lower()} at {when(moment)}: that is kept")
    return tuple(notes)


def _read_pem(text: str, algorithm: int | None) -> tuple[int, PrivateKey]:
    """The algorithm and the key. Raises `InvalidKeyFile`."""
    try:
        found = serialization.load_pem_private_key(text.encode(), None)
    except TypeError:
        raise InvalidKeyFile(
            "the key is protected by a passphrase; openssl pkey -in FILE -out FILE2 takes it off"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        lax = _lax_ecdsa(text)
        if lax is None:
            # The library's message may quote what it read.
            raise InvalidKeyFile("not a private key in PEM") from None
        found = lax
    if not isinstance(found, PrivateKey):
        raise InvalidKeyFile("the key is of a kind that DNSSEC does not have")
    number = algorithms.of_key(found) if algorithm is None else algorithm
    if number is None:
        raise InvalidKeyFile(
            "the file does not say which algorithm the key is for; add --algorithm RSASHA256 or"
            " RSASHA512"
            if any(algorithms.fits(one, found) for one in algorithms.RSA)
            else "the key is on a curve that DNSSEC does not have"
        )
    if not algorithms.fits(number, found):
        raise InvalidKeyFile(f"the key is no {algorithms.to_text(number)} key")
    if number in algorithms.RSA and algorithms.bits(found) < bindfile.MIN_RSA_BITS:
        raise InvalidKeyFile(f"an RSA modulus of {algorithms.bits(found)} bits is too short")
    if isinstance(found, rsa.RSAPrivateKey):
        numbers = found.public_key().public_numbers()
        bindfile.check_rsa(numbers.n.bit_length(), numbers.e.bit_length())
    return number, found


_CURVES: Final = {
    bytes.fromhex("2a8648ce3d030107"): algorithms.ECDSAP256SHA256,
    bytes.fromhex("2b81040022"): algorithms.ECDSAP384SHA384,
}
"""By their object identifiers (RFC 5480 §2.1.1.1)."""
_OCTETS: Final = 0x04


def _lax_ecdsa(text: str) -> PrivateKey | None:
    """The key in PKCS #8 whose number has an octet of zeros too many or too few: half of those that
    Knot DNS 3.2 makes. RFC 5915 §3 wants as many as the curve has, and OpenSSL insists."""
    found = re.search(r"-----BEGIN PRIVATE KEY-----([^-]*)-----END", text)
    if found is None:
        return None
    try:
        _, whole = _elements(base64.b64decode("".join(found[1].split()), validate=True))[0]
        (_, _), (_, kind), (_, inner), *_ = _elements(whole)
        number = _CURVES[_elements(kind)[1][1]]
        (_, _), (tag, secret), *_ = _elements(_elements(inner)[0][1])
        if tag != _OCTETS:
            return None
        return algorithms.from_scalar(number, secret)
    except (ValueError, IndexError, KeyError):
        return None


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """The tags and contents of DER elements one after the other. Raises `ValueError`,
    `IndexError`."""
    found = []
    at = 0
    while at < len(der):
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(der[at : at + count], "big")
            at += count
        if at + size > len(der):
            raise ValueError("it ends too soon")
        found.append((tag, der[at : at + size]))
        at += size
    return found


def pem(key: SigningKey) -> str:
    """The private key in PEM (PKCS #8), as ``pdnsutil import-zone-key-pem`` and ``keymgr
    import-pem`` take it."""
    assert not isinstance(key.private, TokenKey)  # see `exporting.stays`
    octets = key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return octets.decode("ascii")
