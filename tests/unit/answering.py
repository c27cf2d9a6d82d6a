"""Small bundles to ask, and answers as dnspython reads them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from lzc.answer.responder import Responder, Response
from lzc.answer.settings import ResponderSettings
from lzc.bundle import current, writer
from lzc.bundle.reader import Bundle
from lzc.bundle.zone_info import ZoneKey
from lzc.compiler.checks.signatures import published_keys
from lzc.compiler.lua.plans import Planned
from lzc.compiler.lua.programs import Programs
from lzc.dnssec.key import SigningKey
from lzc.dnssec.signing.cache import SignatureCache
from lzc.dnssec.signing.denial import NSEC_CHAIN, Denial
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.image.compile import compile_zone
from lzc.image.presigned import Presigned, take_aside
from lzc.lua.engine.execution import LuaFailure, QueryContext
from lzc.source.lexer import read_entry
from lzc.wire import edns
from lzc.wire import rrtype as rr
from lzc.wire.name import ROOT, from_text, to_text
from lzc.wire.rdata import from_fields
from tests.unit.zone_text import read_zone_text

NOW = 1_800_000_000.0
CLIENT = bytes((198, 51, 100, 7))

HEAD = """\
@ 3600 IN SOA ns1 hostmaster 2026010101 7200 900 1209600 300
@ 3600 IN NS ns1
ns1 600 IN A 192.0.2.53
"""
"""The apex that most zones of the tests have."""


class WordEngine:
    """Stands in for Lua: a record's code is a list of words, each a result, or one of
    ``empty fail qname who subnet``, or ``include NAME``."""

    def __init__(self) -> None:
        self.contexts: list[QueryContext] = []

    def evaluate(
        self, code: bytes, query: QueryContext, include: Callable[[bytes], bytes | None]
    ) -> list[bytes]:
        self.contexts.append(query)
        results: list[bytes] = []
        words = code.split()
        while words:
            word = words.pop(0)
            if word == b"fail":
                raise LuaFailure("runtime", "told to fail")
            if word == b"qname":
                results.append(to_text(query.qname).encode())
            elif word == b"who":
                results.append(socket.inet_ntoa(query.who).encode())
            elif word == b"subnet":
                results.append(str(query.subnet).encode())
            elif word == b"include":
                included = include(from_text(words.pop(0), query.zone).lower())
                words[:0] = (included or b"nothing").split()
            elif word != b"empty":
                results.append(word)
        return results


_WORDS = 65400
"""A type of private use (RFC 6895 §3.1), in place of LUA while the text is read."""


def _words_aside(text: str) -> str:
    """The text with its LUA records as another type: words are no Lua, and would not be read."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        tokens = read_entry(line.encode(), 0, 1, "").tokens
        at = next((at for at, token in enumerate(tokens) if token.text == b"LUA"), None)
        if at is not None:
            fields = tokens[at + 1 :]
            rdata = from_fields(
                rr.LUA, [field.text for field in fields], ROOT, [field.quoted for field in fields]
            )
            head = " ".join(token.text.decode() for token in tokens[:at])
            blank = "" if line[:1] > " " else " "
            lines[number] = f"{blank}{head} TYPE{_WORDS} \\# {len(rdata)} {rdata.hex()}"
    return "\n".join(lines) + "\n"


class World:
    """A bundle of zones given as text, and a responder over it. ``plans`` makes the plans of LUA
    records, as `plan_zone` does."""

    def __init__(
        self,
        folder: Path,
        zones: dict[str, str],
        *,
        keys: dict[str, list[SigningKey]] | None = None,
        lua: bool = True,
        missing_keys: bool = False,
        settings: ResponderSettings | None = None,
        plans: Callable[[Programs], Planned] | None = None,
        blanks: bool = True,
        denial: Denial = NSEC_CHAIN,
        presigned: bool = False,
    ) -> None:
        """``presigned``: the texts have signatures, and there are no ``keys``."""
        compiled = []
        self.keys = {from_text(name): found for name, found in (keys or {}).items()}
        for number, (name, text) in enumerate(zones.items()):
            apex = from_text(name)
            zone, faults = read_zone_text(_words_aside(text).encode(), apex, f"{name}zone")
            assert not faults, faults
            zone.records = [
                (key, rr.LUA if rrtype == _WORDS else rrtype, rdata, ttl, place)
                for key, rrtype, rdata, ttl, place in zone.records
            ]
            zone.records.sort()
            public = [
                ZoneKey(key.tag, key.algorithm, key.flags, key.dnskey)
                for key in self.keys.get(apex, [])
            ]
            aside: Presigned | None = None
            if presigned:
                aside, faults = take_aside(zone)
                assert not faults, faults
            draft = compile_zone(
                zone,
                number,
                signed=bool(public) or presigned,
                lua=lua,
                keys=published_keys(zone) if presigned else public,
                blanks=blanks,
                denial=denial,
                presigned=aside,
            )
            assert not draft.faults, draft.faults
            zone_compiled = draft.finish(draft.info.serial)
            if plans is not None:
                planned = plans(Programs(zone, insert_whitespace=True))
                zone_compiled = replace(zone_compiled, plans=planned.plans)
            compiled.append(zone_compiled)
        with current.locked(folder):
            identity = writer.write(folder, compiled, [], version="test", inputs={})
        self.bundle = Bundle.open(folder / identity)
        self.engine = WordEngine()
        self.failures: list[Exception] = []
        cache = SignatureCache()
        self.signers = (
            {}
            if missing_keys
            else {apex: ZoneSigner(found, cache) for apex, found in self.keys.items()}
        )
        self.responder = Responder(
            self.bundle,
            settings or ResponderSettings(),
            self.signers,
            self.engine,
            lambda _, error: self.failures.append(error),
        )

    def send(self, wire: bytes, *, tcp: bool = False, client: bytes = CLIENT) -> Response | None:
        return self.responder.respond(wire, client, NOW, tcp=tcp)

    def ask(
        self,
        name: str,
        qtype: str = "A",
        *,
        dnssec: bool = False,
        with_edns: bool = True,
        tcp: bool = False,
        rdclass: str = "IN",
        payload: int = 1232,
        options: list[dns.edns.Option] | None = None,
        compact_ok: bool = False,
    ) -> dns.message.Message:
        query = dns.message.make_query(
            name,
            qtype,
            rdclass,
            use_edns=0 if with_edns or dnssec else False,
            want_dnssec=dnssec,
            payload=payload,
            options=options,
        )
        query.flags = dns.flags.Flag(0)
        if compact_ok:
            query.ednsflags |= edns.CO
        response = self.send(query.to_wire(), tcp=tcp)
        assert response is not None
        answer = dns.message.from_wire(response.wire)
        assert query.is_response(answer)
        return answer


def lines(section: list[dns.rrset.RRset], *, signatures: bool = False) -> list[str]:
    """A section as sorted ``owner ttl type rdata`` lines, RRSIG RRs left out unless asked for."""
    found = []
    for rrset in section:
        if not signatures and rrset.rdtype == 46:
            continue
        for rdata in rrset:
            kind = rrset.rdtype.name if hasattr(rrset.rdtype, "name") else str(rrset.rdtype)
            found.append(f"{rrset.name} {rrset.ttl} {kind} {rdata}")
    return sorted(found)


def rcode(answer: dns.message.Message) -> str:
    """The RCODE's mnemonic."""
    return dns.rcode.to_text(answer.rcode())
