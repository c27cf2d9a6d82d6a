"""TSIG over the many messages of one answer, as in a zone transfer (RFC 8945 §5.3.1)."""

from __future__ import annotations

import hmac

from lzc.wire.message import FORMERR, FormatError, find_tsig
from lzc.wire.tsig import (
    ALGORITHMS,
    BADKEY,
    BADSIG,
    FUDGE,
    TsigKey,
    TsigResult,
    TsigRR,
    algorithm_name,
    append,
    check_time,
    read,
    timers,
    unsigned,
    variables,
)

MAX_UNSIGNED = 99
"""Messages without TSIG that may stand between two with it."""


class _Chain:
    """The running MAC: the first message's covers the TSIG variables and the MAC of the request,
    each later one the MAC before it and the timers only."""

    def __init__(self, key: TsigKey, request_mac: bytes) -> None:
        function, self._size = ALGORITHMS[key.algorithm]
        self._fresh = hmac.new(key.secret, digestmod=function)
        self.first = True
        self.restart(request_mac)

    def restart(self, mac: bytes) -> None:
        self._state = self._fresh.copy()
        self._state.update(len(mac).to_bytes(2, "big") + mac)

    def add(self, message: bytes) -> None:
        self._state.update(message)

    def finish(self, rr: TsigRR) -> bytes:
        self._state.update(variables(rr) if self.first else timers(rr.time_signed, rr.fudge))
        return self._state.digest()[: self._size]


class TsigStream:
    """Signs every message of an answer in order; for one client, so it has state.

    ``request_mac`` is the MAC of the request. `room` octets are added to each message.
    """

    def __init__(self, key: TsigKey, request_mac: bytes) -> None:
        self._chain = _Chain(key, request_mac)
        self._name = key.name
        self._algorithm = algorithm_name(key.algorithm)
        self.room = key.room

    def sign(self, message: bytes, now: float) -> bytes:
        """The next message, its ID set already, with a TSIG RR; ``now`` in seconds."""
        ident = message[0] << 8 | message[1]
        rr = TsigRR(0, self._name, self._algorithm, int(now), FUDGE, b"", ident, 0, b"")
        chain = self._chain
        chain.add(message)
        mac = chain.finish(rr)
        chain.first = False
        chain.restart(mac)
        return append(
            message, TsigRR(0, self._name, self._algorithm, int(now), FUDGE, mac, ident, 0, b"")
        )


class TsigStreamVerifier:
    """Checks the messages of an answer to a request of ours, in order."""

    def __init__(self, key: TsigKey, request_mac: bytes) -> None:
        self._key = key
        self._chain = _Chain(key, request_mac)
        self._unsigned = 0

    @property
    def settled(self) -> bool:
        """True when the last message had a valid TSIG RR, as the final message must."""
        return not self._chain.first and not self._unsigned

    def verify(self, message: bytes, now: float) -> TsigResult:
        """Check the next message. One without TSIG is well as far as it goes, unless it is the
        first or the 100th in a row; look at `settled` after the last."""
        try:
            start = find_tsig(message)
        except FormatError:
            return TsigResult(FORMERR, self._key)
        chain = self._chain
        if not start:
            self._unsigned += 1
            chain.add(message)
            bad = chain.first or self._unsigned > MAX_UNSIGNED
            return TsigResult(BADSIG if bad else 0, self._key)
        try:
            rr = read(message, start)
        except ValueError:
            return TsigResult(FORMERR, self._key)
        if rr.name != self._key.name or rr.algorithm != algorithm_name(self._key.algorithm):
            return TsigResult(BADKEY, self._key, rr)
        chain.add(unsigned(message, rr))
        if not hmac.compare_digest(chain.finish(rr), rr.mac):
            return TsigResult(BADSIG, self._key, rr)
        self._unsigned = 0
        chain.first = False
        chain.restart(rr.mac)
        return TsigResult(rr.error or check_time(rr, now), self._key, rr)
