"""Large UDP answers only to clients that receive what is sent to their address.

Whoever forges source addresses has servers send to others more than he sends himself. A server
cookie proves that a client has received an answer of ours (RFC 7873), and so does TCP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lzc.answer.options import OptBuilder
from lzc.answer.planned import Choice
from lzc.answer.settings import ResponderSettings
from lzc.wire import cookie, message
from lzc.wire.message import Query, parse_query

Answered = tuple[bytes, bool | Choice] | None
"""What a `lzc.answer.responder.Response` holds; `None` for no answer."""
Quick = Callable[[bytes, bytes, float, bool, bytes], Answered]
"""Takes query, client, now, tcp and local as `lzc.answer.responder.Responder.respond`; has no
answer to a query that takes more care."""

_BADCOOKIE: Final = message.BADCOOKIE & message.RCODE_MASK
"""The part of the RCODE that the header has."""
_ONLY_QUESTION: Final = b"\0\1\0\0\0\0\0"
"""Counts in the header of an answer with a question and an OPT RR, but for the last octet."""


class CookieLimit:
    """Takes answers of over ``require_cookie`` octets back from clients without a valid server
    cookie: BADCOOKIE with a fresh one where they know of cookies (RFC 7873 §5.2.3, §5.2.4), else
    nothing but TC, so that they come over TCP. An answer without RRs cannot be made smaller.
    """

    __slots__ = ("_limit", "_options", "_secret")

    def __init__(self, settings: ResponderSettings, options: OptBuilder) -> None:
        self._limit = settings.require_cookie
        self._secret = settings.cookie_secret
        self._options = options

    def over(self, quick: Quick) -> Quick:
        """``quick`` of a responder, limited."""

        def limited(query: bytes, client: bytes, now: float, tcp: bool, local: bytes) -> Answered:
            found = quick(query, client, now, tcp, local)
            if tcp or found is None:
                return found
            wire, cacheable = found
            if len(wire) <= self._limit and not isinstance(cacheable, Choice):
                return found
            return self.limit(parse_query(query), wire, cacheable, client, now)

        return limited

    def limit(
        self, query: Query, wire: bytes, cacheable: bool | Choice, client: bytes, now: float
    ) -> tuple[bytes, bool | Choice]:
        """What goes out over UDP instead of an answer, which may be the answer itself; and whether
        it is cacheable. Whoever signs with TSIG has proved more than a cookie does."""
        if isinstance(cacheable, Choice):
            cacheable = self._limited_choice(query, cacheable)
        if len(wire) <= self._limit or not any(wire[6:10]) or query.tsig:
            return wire, cacheable
        edns = query.edns
        sent = edns.cookie if edns is not None and self._secret is not None else None
        if edns is None or sent is None or self._secret is None:
            return query.wire[:2] + _truncated(wire[2:], *self._remains(query)), cacheable
        if cookie.check(sent, self._secret, client, now):
            return wire, cacheable
        opt = self._options.opt(edns, client, now, rcode=message.BADCOOKIE)
        flags = message.QR | query.flags & (message.RD | message.CD) | _BADCOOKIE
        head = query.wire[:2] + flags.to_bytes(2, "big") + _ONLY_QUESTION + b"\1"
        return head + query.question + opt, False

    def _limited_choice(self, query: Query, choice: Choice) -> Choice:
        """The same choice, of which only small answers go out: what is chosen among must not depend
        on its size. No query with a cookie has one."""
        choose, most = choice.choose, self._limit - 2
        question, opt = self._remains(query)

        def limited(client: bytes, now: float) -> bytes:
            made = choose(client, now)
            return made if len(made) <= most else _truncated(made, question, opt)

        return Choice(limited, choice.octets)

    def _remains(self, query: Query) -> tuple[bytes, bytes]:
        """What is left of a truncated answer: its question, and the OPT RR that is the same for all
        clients."""
        edns = query.edns
        return query.question, b"" if edns is None else self._options.opt(edns, b"", 0.0)


def _truncated(answer: bytes, question: bytes, opt: bytes) -> bytes:
    """An answer without its ID, as one with TC and no RRs."""
    flags = bytes((answer[0] | message.TC >> 8, answer[1]))
    return b"".join((flags, _ONLY_QUESTION, b"\1" if opt else b"\0", question, opt))
