"""What is done with keys in tokens (PKCS #11): signing, finding and making them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import sha256, sha384, sha512
from typing import Any, Final, TypeVar

from lzc.dnssec import algorithms
from lzc.dnssec.token import public_half
from lzc.dnssec.token.library import NO_PIN, UNREACHABLE, Library, Pin, Session, Unreachable
from lzc.dnssec.token.uri import TokenUri
from lzc.dnssec.token.waiting import PATIENCE, TooLong, Waiting

__all__ = ["ALGORITHMS", "UNREACHABLE", "Tokens", "Unreachable"]

ALGORITHMS: Final = (
    *(algorithms.RSASHA256, algorithms.RSASHA512, algorithms.ECDSAP256SHA256),
    *(algorithms.ECDSAP384SHA384, algorithms.ED25519),
)
"""Those that tokens sign with; PKCS #11 got Ed448 too late for the most of them."""
_INSTALL: Final = "pip install 'lzc-dns[pkcs11]', into the same environment"

_DIGEST_INFO: Final = {
    algorithms.RSASHA256: bytes.fromhex("3031300d060960864801650304020105000420"),
    algorithms.RSASHA512: bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""What stands before the digest in a signature of RSA (RFC 8017 §9.2, note 1)."""
_DIGESTS: Final = {
    algorithms.RSASHA256: sha256,
    algorithms.RSASHA512: sha512,
    algorithms.ECDSAP256SHA256: sha256,
    algorithms.ECDSAP384SHA384: sha384,
}
_Found = TypeVar("_Found")
_PROOF: Final = b"lzc: this signature proves that a key pair is one"


_LIBRARIES: Final[dict[str, Library]] = {}
"""By path: a process has each once, whatever it is opened for."""


class Tokens:
    """The keys in the tokens behind a project's library.

    ``module`` is the path of the library, `None` where the settings name none; ``waiting`` does
    what is done with the library. All methods raise `Unreachable`. For one thread.
    """

    def __init__(
        self,
        module: str | None = None,
        pin: Pin = NO_PIN,
        waiting: Waiting = PATIENCE,
    ) -> None:
        self._module = module
        self._pin = pin
        self._waiting = waiting

    def sign(self, uri: TokenUri, algorithm: int, data: bytes) -> bytes:
        """The Signature field of an RRSIG over octets, by the key that a URI names."""
        return self._twice(uri, lambda library: self._sign(library, uri, algorithm, data))

    def waiting_as(self, waiting: Waiting) -> Tokens:
        """The same, with other patience."""
        return Tokens(self._module, self._pin, waiting)

    def reach(self, uri: TokenUri, algorithm: int, *, anew: bool = False) -> None:
        """Find the key, without a signature; ``anew`` where it was found before, too."""

        def find(library: Library) -> None:
            session = library.session(uri, self._pin)
            if anew:
                session.keys.pop(uri, None)
            self._key(session, uri)

        self._twice(uri, find)
        _check(uri, algorithm)

    def public(self, uri: TokenUri, algorithm: int) -> bytes:
        """The Public Key field of the DNSKEY of a key that is there. That it belongs to the private
        key is proved by a signature."""
        _check(uri, algorithm)
        found = self._twice(uri, lambda library: self._public(library, uri, algorithm))
        if not public_half.verifies(algorithm, found, self.sign(uri, algorithm, _PROOF), _PROOF):
            raise Unreachable.of(
                uri,
                "token-key",
                f"the token's signature is not one of {algorithms.to_text(algorithm)} by the public"
                " key of this name",
                "name the key by its id, or take the algorithm that it was made for",
            )
        return found

    def generate(self, uri: TokenUri, algorithm: int, bits: int) -> bytes:
        """Make a key pair with the label of a URI, which nobody can take out of the token; its
        public half as `public` has it. ``bits`` are those of an RSA modulus."""
        _check(uri, algorithm)
        self._twice(uri, lambda library: self._generate(library, uri, algorithm, bits))
        return self.public(uri, algorithm)

    def _library(self, uri: TokenUri) -> Library:
        try:
            import pkcs11  # noqa: F401
        except ImportError as error:
            problem = "the key lies in a token, and this lzc has no PKCS #11"
            raise Unreachable.of(uri, "pkcs11-missing", problem, _INSTALL) from error
        if self._module is None:
            problem = "the key lies in a token, and lzc.toml does not say by which library"
            fix = "set pkcs11-module in [dnssec], such as /usr/lib/softhsm/libsofthsm2.so"
            raise Unreachable.of(uri, "token-module", problem, fix)
        return _LIBRARIES.setdefault(self._module, Library(self._module))

    def _twice(self, uri: TokenUri, work: Callable[[Library], _Found]) -> _Found:
        """What work with the library gives; once more with everything opened anew where that
        fails."""
        library = self._library(uri)
        try:
            return self._waiting(lambda: self._at_most_twice(library, uri, work))
        except TooLong as error:
            raise Unreachable.of(
                uri,
                UNREACHABLE,
                str(error),
                "see what keeps it; where it is well and lzc serve goes on to say this, restart it,"
                " as the library may never come back from what it was asked for",
            ) from error

    def _at_most_twice(
        self, library: Library, uri: TokenUri, work: Callable[[Library], _Found]
    ) -> _Found:
        from pkcs11 import PKCS11Error

        for is_last in (False, True):
            try:
                return work(library)
            except Unreachable as error:
                if error.faults[0].rule == UNREACHABLE:
                    # Libraries may find a token that came only when they are loaded.
                    library.forget()
                raise
            except PKCS11Error as error:
                library.forget()
                if is_last:
                    raise Unreachable.of(
                        uri,
                        UNREACHABLE,
                        f"the token does not do it: {_words(error)}",
                        f"see whether it is there, and what {self._module} needs: its settings,"
                        " environment and service",
                    ) from error
        raise AssertionError("unreachable")

    def _key(self, session: Session, uri: TokenUri) -> Any:
        found = session.keys.get(uri)
        if found is None:
            import pkcs11

            wanted = _attributes(uri) | {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
            keys = list(session.session.get_objects(wanted))
            if len(keys) != 1:
                raise Unreachable.of(
                    uri,
                    "token-key",
                    f"{len(keys)} private keys in the token fit the URI"
                    if keys
                    else "the token has no such private key",
                    "correct object or id in the URI; the token's own tool lists its keys",
                )
            found = session.keys[uri] = keys[0]
        return found

    def _sign(self, library: Library, uri: TokenUri, algorithm: int, data: bytes) -> bytes:
        from pkcs11 import Mechanism

        session = library.session(uri, self._pin)
        key = self._key(session, uri)
        if algorithm in algorithms.RSA:
            is_256 = algorithm == algorithms.RSASHA256
            mechanism = Mechanism.SHA256_RSA_PKCS if is_256 else Mechanism.SHA512_RSA_PKCS
            if mechanism not in session.mechanisms:
                mechanism = Mechanism.RSA_PKCS
                data = _DIGEST_INFO[algorithm] + _DIGESTS[algorithm](data).digest()
        elif algorithm == algorithms.ED25519:
            mechanism = Mechanism.EDDSA
        else:
            mechanism = Mechanism.ECDSA
            data = _DIGESTS[algorithm](data).digest()
        try:
            return bytes(key.sign(data, mechanism=mechanism))
        except AttributeError as error:
            problem, fix = "the key is not one that may sign", "give it CKA_SIGN, or make another"
            raise Unreachable.of(uri, "token-key", problem, fix) from error

    def _public(self, library: Library, uri: TokenUri, algorithm: int) -> bytes:
        from pkcs11 import Attribute, AttributeTypeInvalid, KeyType, ObjectClass

        session = library.session(uri, self._pin)
        private = self._key(session, uri)
        is_rsa = algorithm in algorithms.RSA
        kinds = (KeyType.RSA,) if is_rsa else (KeyType.EC, KeyType.EC_EDWARDS)
        if private[Attribute.KEY_TYPE] not in kinds:
            raise _other_kind(uri, algorithm)
        wanted = _attributes(uri) | {Attribute.CLASS: ObjectClass.PUBLIC_KEY}
        publics = list(session.session.get_objects(wanted))
        if len(publics) > 1 or not (publics or is_rsa):
            raise Unreachable.of(
                uri,
                "token-key",
                f"the token has {len(publics)} public keys of this name, not one",
                "put the public key into the token, with the label and the id of the private one",
            )
        half = publics[0] if publics else private
        try:
            if is_rsa:
                return public_half.of_rsa(half[Attribute.MODULUS], half[Attribute.PUBLIC_EXPONENT])
            if not public_half.fits_curve(algorithm, half[Attribute.EC_PARAMS]):
                raise _other_kind(uri, algorithm)
            return public_half.of_point(algorithm, half[Attribute.EC_POINT])
        except (ValueError, AttributeTypeInvalid) as error:
            problem = "the token's public key is not one that DNSSEC can have"
            fix = "make another one"
            raise Unreachable.of(uri, "token-key", problem, fix) from error

    def _generate(self, library: Library, uri: TokenUri, algorithm: int, bits: int) -> None:
        from pkcs11 import Attribute, KeyType, MechanismFlag

        private = {Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True}
        public: dict[Attribute, Any] = {Attribute.PRIVATE: False}
        common = {
            "id": secrets.token_bytes(8),
            "label": uri.object,
            "store": True,
            "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
        }
        session: Any = library.writing(uri, self._pin)
        try:
            if algorithm in algorithms.RSA:
                kind, length = KeyType.RSA, bits
            else:
                is_edwards = algorithm == algorithms.ED25519
                kind, length = (KeyType.EC_EDWARDS if is_edwards else KeyType.EC), None
                public[Attribute.EC_PARAMS] = public_half.CURVES[algorithm]
            session.generate_keypair(
                kind, length, public_template=public, private_template=private, **common
            )
        finally:
            session.close()


def _attributes(uri: TokenUri) -> dict[Any, Any]:
    """What the objects of a key have, by which they are found."""
    from pkcs11 import Attribute

    found: dict[Any, Any] = {}
    if uri.object is not None:
        found[Attribute.LABEL] = uri.object
    if uri.id is not None:
        found[Attribute.ID] = uri.id
    return found


def _check(uri: TokenUri, algorithm: int) -> None:
    if not uri.names_key:
        problem, fix = "the URI names no key in the token", "add object=LABEL, or id=%XX..."
        raise Unreachable.of(uri, "token-key", problem, fix)
    if algorithm not in ALGORITHMS:
        named = ", ".join(map(algorithms.to_text, ALGORITHMS))
        problem = f"lzc does not sign with {algorithms.to_text(algorithm)} in a token"
        raise Unreachable.of(uri, "token-key", problem, f"take one of {named}")


def _other_kind(uri: TokenUri, algorithm: int) -> Unreachable:
    problem = f"the key in the token is no {algorithms.to_text(algorithm)} key"
    return Unreachable.of(uri, "token-key", problem, "say its own algorithm with --algorithm")


def _words(error: Exception) -> str:
    """An error of the library: the name of its return value, and what is said besides."""
    said = str(error)
    return f"{type(error).__name__} ({said})" if said else type(error).__name__
