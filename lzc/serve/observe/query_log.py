"""The query log: a line for a share of the queries, written some at a time."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from lzc.serve.observe.log_format import as_json, as_word, time_of
from lzc.serve.observe.log_output import Output
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from lzc.wire.message import question_end

RCODES: Final = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    9: "NOTAUTH",
    16: "BADVERS",
    23: "BADCOOKIE",
}
"""Those that answers of ours have, by IANA's mnemonics."""
SOON: Final = 0.1
"""Seconds after which lines are written: many at once cost a tenth of what they cost one by one."""
_OPT: Final = b"\0\0\x29"
_MESSAGE: Final = "query"
_NAMES: Final = frozenset({"qname", "zone"})

_text = lru_cache(maxsize=1000)(wire_name.to_text)

ZoneOf = Callable[[bytes], bytes | None]
"""The apex of the zone that a lower-case wire name is in."""


def rcode_of(answer: bytes) -> int:
    """With the upper bits of an OPT RR that stands last (RFC 6891 §6.1.3)."""
    at = answer.rfind(_OPT)
    if at < 12 or at + 11 + int.from_bytes(answer[at + 9 : at + 11], "big") != len(answer):
        return answer[3] & 15
    return answer[at + 5] << 4 | answer[3] & 15


class QueryLog:
    """Writes to ``output``, as JSON or as text. ``written`` counts lines, ``lost`` those that could
    not be."""

    def __init__(
        self, output: Output, zone_of: ZoneOf, *, json: bool, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._output = output
        self._zone_of = zone_of
        self._json = json
        self._loop = loop
        self._lines: list[str] = []
        self.written = 0
        self.lost = 0

    def note(
        self,
        when: float,
        seconds: float,
        client: bytes,
        port: int,
        query: bytes,
        answer: bytes | None,
        *,
        tcp: bool,
        cached: bool,
        process: tuple[str, int],
    ) -> None:
        """A query that came at ``when``, seconds since the epoch, from this packed address and
        port, and was answered in so many ``seconds`` by this process, of which it is the name and
        the id."""
        fields: dict[str, object] = {
            "client": socket.inet_ntop(
                socket.AF_INET6 if len(client) == 16 else socket.AF_INET, client
            ),
            "port": port,
            "transport": "tcp" if tcp else "udp",
        }
        end = question_end(query) if len(query) >= 12 else 0
        if end:
            qname = query[12 : end - 4]
            fields["qname"] = _text(qname)
            fields["qtype"] = rrtype.to_text(int.from_bytes(query[end - 4 : end - 2], "big"))
            apex = self._zone_of(qname.lower())
            if apex is not None:
                fields["zone"] = _text(apex)
        if answer is not None:
            code = rcode_of(answer)
            fields["rcode"] = RCODES.get(code, str(code))
            fields["size"] = len(answer)
        fields["us"] = round(seconds * 1e6)
        fields["cached"] = cached
        if self._json:
            name, pid = process
            line = as_json(when, "info", _MESSAGE, fields, process=name, pid=pid)
        else:
            fields["cached"] = "true" if cached else "false"
            for name in _NAMES & fields.keys():
                fields[name] = as_word(fields[name])
            # Nothing else in it is of others.
            words = " ".join([f"{name}={value}" for name, value in fields.items()])
            line = f"{time_of(when)} INFO {_MESSAGE} {words}"
        if not self._lines:
            self._loop.call_later(SOON, self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        """Write what is not written yet."""
        if self._lines:
            if self._output.write("\n".join(self._lines), logging.INFO, {}):
                self.written += len(self._lines)
            else:
                self.lost += len(self._lines)
            self._lines.clear()
