"""What answers, as sockets see it: the parts of `lzc.answer.responder.Responder` that they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lzc.answer.planned import Choice
from lzc.answer.unfinished import Begun

Answered = tuple[bytes, bool | Choice] | None
"""The whole message, and whether it depends on nothing but the query's octets and the transport, or
what chooses among several such answers; `None` for silence."""


class AnyResponder(Protocol):
    """What sockets of all kinds need."""

    def any_query(
        self,
        query: bytes,
        client: bytes,
        now: float,
        tcp: bool = False,
        local: bytes = b"",
        pad: bool = False,
    ) -> Answered:
        """The answer to a query that ``quick`` or ``begin`` gave `None` for, or over TLS to one
        that may have to be padded."""


class UdpResponder(AnyResponder, Protocol):
    """What UDP sockets need."""

    @property
    def begin(self) -> Callable[[bytes, bytes, float, bool, bytes], Begun]:
        """Answers the commonest queries, given query, client, now, tcp and local, but for a
        signature that is yet to be made."""


class TcpResponder(AnyResponder, Protocol):
    """What TCP sockets need."""

    @property
    def quick(self) -> Callable[[bytes, bytes, float, bool, bytes], Answered]:
        """Answers the commonest queries, given query, client, now, tcp and local."""
