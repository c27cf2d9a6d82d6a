"""The query log: a line for a share of the queries, written some at a time."""

from __future__ import annotations

import logging
import socket
import string
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
_OPT: Final = b"\0\0\x29"
_MESSAGE: Final = "query"
_PLAIN: Final = (string.ascii_letters + string.digits + "-_").encode()

ZoneOf = Callable[[bytes], bytes | None]
"""The apex of the zone that a lower-case wire name is in."""


@lru_cache(maxsize=1000)
def _host(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)


@lru_cache(maxsize=1000)
def _word(name: bytes) -> str:
    """A wire name as a field of a line has it."""
    labels = wire_name.labels_of(name)
    # Most names have nothing to escape.
    if b"".join(labels).translate(None, _PLAIN):
        return as_word(wire_name.to_text(name))
    return f"{b'.'.join(labels).decode()}."


def rcode_of(answer: bytes) -> int:
    """With the upper bits of an OPT RR that stands last (RFC 6891 §6.1.3)."""
    at = answer.rfind(_OPT)
    if at < 12 or at + 11 + int.from_bytes(answer[at + 9 : at + 11], "big") != len(answer):
        return answer[3] & 15
    return answer[at + 5] << 4 | answer[3] & 15


class QueryLog:
    """Writes to ``output``, as JSON or as text. ``written`` counts lines, ``lost`` those that could
    not be."""

    def __init__(self, output: Output, zone_of: ZoneOf, *, json: bool) -> None:
        self._output = output
        self._zone_of = zone_of
        self._json = json
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
        tls: bool = False,
        process: tuple[str, int],
    ) -> None:
        """A query that came at ``when``, seconds since the epoch, from this packed address and
        port, and was answered in so many ``seconds`` by this process, of which it is the name and
        the id."""
        end = question_end(query) if len(query) >= 12 else 0
        qname = query[12 : end - 4] if end else b""
        apex = self._zone_of(qname.lower()) if end else None
        kind = rrtype.to_text(int.from_bytes(query[end - 4 : end - 2], "big")) if end else ""
        transport = "tls" if tls else "tcp" if tcp else "udp"
        us = round(seconds * 1e6)
        code = -1 if answer is None else rcode_of(answer)
        if not self._json:
            # Put together in place: a fifth of what it takes by way of fields, as below.
            asked = f" qname={_word(qname)} qtype={kind}" if end else ""
            zone = "" if apex is None else f" zone={_word(apex)}"
            said = ""
            if answer is not None:
                said = f" rcode={RCODES.get(code) or code} size={len(answer)}"
            self._lines.append(
                f"{time_of(when)} INFO {_MESSAGE} client={_host(client)} port={port}"
                f" transport={transport}{asked}{zone}{said} us={us}"
                f" cached={'true' if cached else 'false'}"
            )
            return
        fields: dict[str, object] = {
            "client": _host(client),
            "port": port,
            "transport": transport,
        }
        if end:
            fields |= {"qname": wire_name.to_text(qname), "qtype": kind}
        if apex is not None:
            fields["zone"] = wire_name.to_text(apex)
        if answer is not None:
            fields |= {"rcode": RCODES.get(code) or str(code), "size": len(answer)}
        fields |= {"us": us, "cached": cached}
        name, pid = process
        self._lines.append(as_json(when, "info", _MESSAGE, fields, process=name, pid=pid))

    def flush(self) -> None:
        """Write what is not written yet: many lines at once cost a tenth of what they cost one by
        one."""
        if self._lines:
            if self._output.write("\n".join(self._lines), logging.INFO, {}):
                self.written += len(self._lines)
            else:
                self.lost += len(self._lines)
            self._lines.clear()
