"""Whether an answer is secure, as a validator sees it that trusts the keys of a bundle."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import NamedTuple

import dns.name
import dns.rdtypes.ANY.DS

from lzc.bundle.reader import Bundle
from lzc.dnssec.validation.signature_check import SignatureCheck
from lzc.dnssec.validation.verifier import State, Verifier
from lzc.rehearse.survey.anchors import own_anchors
from lzc.rehearse.survey.inspection import Asked, NoAnswer, TrustedZones

KeyQuery = Callable[[bytes], bytes | None]
"""The answer, as wire, to a query for the DNSKEY RRset of a wire name; `None` for silence."""
_DS = dns.rdtypes.ANY.DS.DS


class Validator:
    """Checks answers made at ``now``, in seconds since the epoch, about zones of a bundle, from the
    DS of their keys on. ``ask_keys`` is called once for each zone that signs."""

    def __init__(self, bundle: Bundle, ask_keys: KeyQuery, now: float) -> None:
        check = SignatureCheck(now)
        anchors, unsigned = _Anchors(bundle), _Unsigned(bundle)
        self._zones = TrustedZones(anchors, unsigned, _Keys(ask_keys), check)
        self._verifier = Verifier(self._zones, check)

    def faults(self, qname: bytes, qtype: int, wire: bytes) -> tuple[str, ...]:
        """Why the answer to a question, asked with DO, is not secure, each in words; none if it
        is."""
        name = dns.name.from_wire(qname, 0)[0]
        above: dns.name.Name | None = name
        while above is not None:
            if above in self._zones.anchors:
                chain = self._zones.chain(above)
                if chain.problems:
                    return chain.problems
                break
            above = above.parent() if above != dns.name.root else None
        verdict = self._verifier.judge(name, qtype, wire)
        if verdict.state is State.INSECURE:
            return tuple(f"insecure: {reason}" for reason in verdict.reasons)
        return verdict.reasons


class _Keys(NamedTuple):
    """Asks for DNSKEY RRsets alone."""

    ask_keys: KeyQuery

    def ask(self, qname: bytes, qtype: int) -> Asked:
        wire = self.ask_keys(qname)
        if wire is None:
            raise NoAnswer("silence")
        return Asked(wire)


class _Anchors(Mapping[dns.name.Name, Sequence[_DS]]):
    """The DS records of the signed zones of a bundle: of the keys with the SEP flag, or of all
    where none has it."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __contains__(self, apex: object) -> bool:
        if not isinstance(apex, dns.name.Name):
            return False
        view = self._bundle.zone(apex.to_digestable())
        return view is not None and view.info.signed

    def __getitem__(self, apex: dns.name.Name) -> Sequence[_DS]:
        view = self._bundle.zone(apex.to_digestable())
        if view is None:
            raise KeyError(apex)
        return own_anchors(apex, view.info)

    def __iter__(self) -> Iterator[dns.name.Name]:
        return (dns.name.from_wire(info.apex, 0)[0] for info in self._bundle.zones() if info.signed)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Unsigned(Container[dns.name.Name]):
    """The zones of a bundle that are not signed."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __contains__(self, apex: object) -> bool:
        assert isinstance(apex, dns.name.Name)
        view = self._bundle.zone(apex.to_digestable())
        return view is not None and not view.info.signed
