"""Names of a zone asked for, and the answers verified."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import dns.name
import dns.rdatatype
from dns.rdatatype import ANY, DS, NSEC
from dns.rdtypes.ANY.DS import DS as Signer

from lzc.dnssec.validation.denial import NXNAME
from lzc.dnssec.validation.names import OrderedName, of_wire
from lzc.dnssec.validation.nsec3_denial import HashedLink, Parameters, hashed
from lzc.dnssec.validation.nsec_denial import Link
from lzc.dnssec.validation.signature_check import SignatureCheck, ZoneKeys
from lzc.dnssec.validation.trust import Chain, chain
from lzc.dnssec.validation.verifier import State, Verifier
from lzc.rehearse.survey.questions import KnownName, Question, questions
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name

MOST_TOLD: Final = 1000
"""Problems of a zone that are told; others are counted."""

MOST_LISTED: Final = 16
"""Types that are asked for, at most, as the bitmap of a name has them and nobody else."""

_NOT_ASKED: Final = frozenset({rrtype.RRSIG, rrtype.NSEC, rrtype.NSEC3, rrtype.LUA, NXNAME})
"""Types of bitmaps that are data of the zone's signer, or are answered otherwise."""
_FOREVER: Final = float("inf")


class NoAnswer(Exception):
    """No answer came, and why."""


class Asked(NamedTuple):
    """An answer in wire format, and why it is SERVFAIL where that is known."""

    wire: bytes
    reasons: tuple[str, ...] = ()


class Asker(Protocol):
    """Who answers: a bundle, or a server."""

    def ask(self, qname: bytes, qtype: int) -> Asked:
        """The answer to a question with DO, over TCP where it is truncated. Raises `NoAnswer`."""


class Problem(NamedTuple):
    """A question in presentation form, and what is wrong with its answer."""

    question: str
    text: str


@dataclass(slots=True)
class Findings:
    """What was found of a zone, or of a part of it. ``insecure`` counts answers by the reason why
    they are; ``until`` is when the first signature expires that was met, in seconds since the
    epoch; ``bogus`` counts answers, of which ``problems`` has so many as are told. ``untrusted``
    tells that the DS of the zone leads to no keys, and no more was asked."""

    questions: int = 0
    secure: int = 0
    bogus: int = 0
    insecure: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    until: float = _FOREVER
    untrusted: bool = False

    def add(self, other: Findings) -> None:
        """Count what was found of another part."""
        if self.untrusted and other.untrusted:
            return
        self.untrusted |= other.untrusted
        self.questions += other.questions
        self.secure += other.secure
        self.bogus += other.bogus
        self.insecure += other.insecure
        self.problems += other.problems[: MOST_TOLD - len(self.problems)]
        self.until = min(self.until, other.until)

    def blame(self, question: str, texts: Sequence[str]) -> None:
        """Count an answer that is bogus."""
        self.bogus += 1
        room = MOST_TOLD - len(self.problems)
        self.problems += [Problem(question, text) for text in texts[:room]]


class TrustedZones(Mapping[dns.name.Name, ZoneKeys | None]):
    """The keys of zones by apex, looked up, and verified from the DS, when they are first needed.

    ``anchors`` are the DS records of zones that are signed, ``unsigned`` the apexes of those that
    are not. A zone whose keys are not to be trusted counts as one that nobody knows.
    """

    def __init__(
        self,
        anchors: Mapping[dns.name.Name, Sequence[Signer]],
        unsigned: Container[dns.name.Name],
        asker: Asker,
        check: SignatureCheck,
    ) -> None:
        self.anchors = anchors
        self._unsigned = unsigned
        self._asker = asker
        self._check = check
        self._chains: dict[dns.name.Name, Chain] = {}

    def chain(self, apex: dns.name.Name) -> Chain:
        """What the DS records of a zone lead to."""
        found = self._chains.get(apex)
        if found is None:
            found = self._chains[apex] = self._follow(apex)
        return found

    def _follow(self, apex: dns.name.Name) -> Chain:
        try:
            asked = self._asker.ask(apex.to_digestable(), rrtype.DNSKEY)
            rcode = message.parse_message(asked.wire).rcode
        except (NoAnswer, message.FormatError) as error:
            return Chain(None, (f"no answer to {apex} DNSKEY: {error}",))
        if rcode:
            return Chain(None, (_failed(rcode, asked.reasons),))
        return chain(apex, asked.wire, self.anchors[apex], self._check)

    def __contains__(self, apex: object) -> bool:
        if apex in self.anchors:
            assert isinstance(apex, dns.name.Name)
            return self.chain(apex).keys is not None
        return apex in self._unsigned

    def __getitem__(self, apex: dns.name.Name) -> ZoneKeys | None:
        return self.chain(apex).keys if apex in self.anchors else None

    def __iter__(self) -> Iterator[dns.name.Name]:
        return iter(self.anchors)

    def __len__(self) -> int:
        return len(self.anchors)


class Inspection:
    """Asks about names of a zone, given as wire name, and judges what comes. ``for_any``: for type
    ANY, too."""

    def __init__(
        self,
        apex: bytes,
        zones: TrustedZones,
        asker: Asker,
        check: SignatureCheck,
        *,
        for_any: bool = True,
    ) -> None:
        self._for_any = for_any
        self._wire = apex
        self._apex = of_wire(apex)
        self._zones = zones
        self._asker = asker
        self._verifier = Verifier(zones, check)
        above = self._apex != dns.name.root
        self._below_another = above and self._verifier.zone_of(self._apex.parent()) is not None

    def look(self, names: Sequence[KnownName], begin: Callable[[int], None]) -> Findings:
        """What is found of names, in canonical order; ``begin`` is called with the index of each
        before it is asked about."""
        found = Findings()
        trust = self._zones.chain(self._apex)
        if trust.keys is None:
            found.questions, found.untrusted = 1, True
            found.blame(f"{self._apex} DNSKEY", trust.problems)
            return found
        found.until = trust.until
        links: dict[tuple[dns.name.Name | bytes, ...], Link | HashedLink] = {}
        for number, name in enumerate(names):
            begin(number)
            present: set[int] = set()
            asked: set[int] = set()
            of_name: list[Link | HashedLink] = []
            for question in questions(
                name, self._wire, below_another=self._below_another, for_any=self._for_any
            ):
                has_data, some = self._ask(question, found)
                of_name += some
                if _is_beside(question, name, self._wire):
                    continue
                asked.add(question.qtype)
                if has_data:
                    present.add(question.qtype)
            own = self._own(name, of_name)
            self._ask_listed(name, asked, own, found)
            self._hold_bitmap(name, present, own, found)
            links.update({(link.owner, link.next): link for link in of_name})
        self._hold_gaps(names, list(links.values()), found)
        return found

    def _ask(self, question: Question, found: Findings) -> tuple[bool, Sequence[Link | HashedLink]]:
        """Ask a question and count the verdict; whether it has data at the very name, and what
        links came along."""
        qname, qtype = question.qname, question.qtype
        found.questions += 1
        try:
            asked = self._asker.ask(qname, qtype)
            reply = self._verifier.read(asked.wire)
        except (NoAnswer, ValueError) as error:
            found.blame(_shown(question), (str(error),))
            return False, ()
        if reply.rcode not in (message.NOERROR, message.NXDOMAIN, message.YXDOMAIN):
            found.blame(_shown(question), (_failed(reply.rcode, asked.reasons),))
            return False, ()
        name = of_wire(qname)
        verdict = self._verifier.judge_reply(name, qtype, reply)
        found.until = min(found.until, verdict.until)
        has_data = any(rrset.rdtype == qtype and rrset.name == name for rrset in reply.answer)
        problems = list(verdict.reasons) if verdict.state is State.BOGUS else []
        if question.certain and not has_data:
            problems.append("the zone has it, and the answer does not")
        if problems:
            found.blame(_shown(question), problems)
        elif verdict.state is State.INSECURE:
            found.insecure.update(verdict.reasons[:1])
        else:
            found.secure += 1
        return has_data, verdict.links.get(self._apex, ())

    def _own(self, name: KnownName, links: Sequence[Link | HashedLink]) -> list[Link | HashedLink]:
        """Those of the links that are the name's own."""
        owner = self._name(name)
        return [
            link
            for link in links
            if link.owner == (owner if isinstance(link, Link) else hashed(owner, link.parameters))
        ]

    def _ask_listed(
        self,
        name: KnownName,
        asked: set[int],
        own: Sequence[Link | HashedLink],
        found: Findings,
    ) -> None:
        """Ask for the types that only the bitmap of the name has: where they are not there,
        nothing can deny them."""
        if name.hidden:
            return
        listed = {kind for link in own for kind in link.bits.types}
        qname = wire_name.relative_of_key(name.key) + self._wire
        for kind in sorted(listed - asked - _NOT_ASKED)[:MOST_LISTED]:
            self._ask(Question(qname, kind), found)

    def _hold_bitmap(
        self,
        name: KnownName,
        present: set[int],
        own: Sequence[Link | HashedLink],
        found: Findings,
    ) -> None:
        """What was answered for has to be in the name's own bitmap: resolvers that keep denials
        (RFC 8198) would else deny it."""
        owner = self._name(name)
        if not own or (NXNAME in own[0].bits.types and not present):
            return
        # The DS of an apex is the parent's, and all but DS at a delegation the child's.
        wanted = (
            present & {DS} if name.cut else present - {ANY, NSEC} - (set() if name.key else {DS})
        )
        for kind in sorted(wanted):
            # Where LUA records gave an empty list, that answer leaves their type out.
            lacking = [link for link in own if kind not in link.bits.types]
            if lacking and (kind in name.fixed or len(lacking) == len(own)):
                text = rrtype.to_text(kind)
                told = f"{lacking[0].bits.of} denies {text}, which is answered"
                found.blame(f"{owner} {text}", (told,))

    def _hold_gaps(
        self, names: Sequence[KnownName], links: Sequence[Link | HashedLink], found: Findings
    ) -> None:
        """No name of the zone may lie in the gap of a link, whoever asked for what."""
        plain = [link for link in links if isinstance(link, Link)]
        if plain:
            # An empty non-terminal has no NSEC of its own.
            owners = [self._name(name) for name in names if not (name.hidden or name.empty)]
            for link in plain:
                at = bisect_right(owners, link.owner)
                is_last = link.next == self._apex
                if at < len(owners) and (is_last or owners[at] < link.next):
                    told = (
                        f"{link.bits.of} says that nothing is before {link.next}, and this exists"
                    )
                    found.blame(str(owners[at]), (told,))
        of_parameters: dict[Parameters, list[HashedLink]] = {}
        for hashed_link in links:
            if isinstance(hashed_link, HashedLink):
                of_parameters.setdefault(hashed_link.parameters, []).append(hashed_link)
        for parameters, several in of_parameters.items():
            self._hold_hashed_gaps(names, parameters, several, found)

    def _hold_hashed_gaps(
        self,
        names: Sequence[KnownName],
        parameters: Parameters,
        links: Sequence[HashedLink],
        found: Findings,
    ) -> None:
        by_hash = {hashed(self._name(name), parameters): name for name in names if not name.hidden}
        hashes = sorted(by_hash)
        for link in links:
            is_last = link.next <= link.owner
            at = bisect_right(hashes, link.owner)
            inside = hashes[at : at + 1] or (hashes[:1] if is_last else [])
            for one in inside:
                name = by_hash[one]
                lies = one > link.owner or one < link.next if is_last else one < link.next
                may_lack = name.empty or (name.cut and DS not in name.types)
                if lies and one != link.owner and not (link.opt_out and may_lack):
                    told = f"{link.bits.of} has this in its gap, and this exists"
                    found.blame(str(self._name(name)), (told,))

    def _name(self, name: KnownName) -> OrderedName:
        return of_wire(wire_name.relative_of_key(name.key) + self._wire)


def _shown(question: Question) -> str:
    return f"{wire_name.to_text(question.qname)} {rrtype.to_text(question.qtype)}"


def _is_beside(question: Question, name: KnownName, apex: bytes) -> bool:
    """Whether a question is about another name than the known one."""
    return question.qname != wire_name.relative_of_key(name.key) + apex


def _failed(rcode: int, reasons: Sequence[str]) -> str:
    """What is said of an answer that is none."""
    names = {message.SERVFAIL: "SERVFAIL", message.REFUSED: "REFUSED", message.NOTIMP: "NOTIMP"}
    said = f"answered {names.get(rcode, f'RCODE {rcode}')}"
    return f"{said}: {reasons[0]}" if reasons else said
