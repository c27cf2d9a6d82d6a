"""One answer of HTTP/1.0 or 1.1 (RFC 9112), read piece by piece, as far as a health check needs it.

Whatever a target sends, an octet costs the same to read and the memory is bounded: of the body only
its beginning is kept, and as much of its end as may be the start of what is looked for.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lzc.health_check import Check
from lzc.serve.health.outcome import BODY_LIMIT, as_written, wanted_in, weight_of

MOVED: Final = range(300, 400)
"""Statuses whose Location is followed, as libcurl does for PowerDNS."""

_HEAD_LIMIT: Final = 65536
_INTERIM: Final = 16
"""Answers of 1xx before the one that counts."""
_FRAMING: Final = 2**18
"""Octets that chunks may take besides their content."""
_LINE: Final = 4096
PIECE: Final = 16384
"""Octets of a body that PowerDNS gets at a time."""
_BEGINNING: Final = 256
"""Octets of the body that are kept: its weight is in there."""
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_LENGTH: Final = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r?\n")
_CHUNKED: Final = re.compile(rb"\ntransfer-encoding:[ \t]*chunked")
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r?")


class HttpVerdict(NamedTuple):
    """What is wrong with an answer, or nothing, and its weight; ``elsewhere`` when a whole client
    has to look, as it is a redirect."""

    problem: str
    weight: int = 1
    elsewhere: bool = False


_NONE: Final = HttpVerdict("no HTTP answer")
_ELSEWHERE: Final = HttpVerdict("", elsewhere=True)


class HttpAnswer:
    """The answer to a check's GET: `feed` it until there is an `HttpVerdict`."""

    __slots__ = ("_body", "_check", "_head", "_interim", "_seen")

    def __init__(self, check: Check) -> None:
        self._check = check
        self._head = bytearray()
        self._seen = 0
        self._interim = 0
        self._body: Body | None = None

    def feed(self, data: bytes) -> HttpVerdict | None:
        """Read on; no octets mean that the connection was closed. `None`: not enough yet."""
        if self._body is None:
            self._head += data
            verdict = self._read_head(ended=not data)
            if verdict is not None or self._body is None:
                return verdict
            rest, self._head = bytes(self._head), bytearray()
            verdict = self._body.feed(rest)
            if verdict is not None or data:
                return verdict
        return self._body.feed(data) if data else self._body.end()

    def _read_head(self, *, ended: bool) -> HttpVerdict | None:
        """Read heads until that of the answer is complete; then there is a body."""
        while True:
            head = self._head
            # The end may have begun in what came before.
            found = _HEAD_END.search(head, max(0, self._seen - 3))
            if found is None:
                self._seen = len(head)
                if ended or len(head) > _HEAD_LIMIT or not b"HTTP/1.".startswith(head[:7]):
                    return _NONE if head else HttpVerdict("the connection was closed")
                return None
            status = _STATUS.match(head)
            if status is None or found.end() > _HEAD_LIMIT:
                return _NONE
            code = int(status[1])
            text = bytes(head[: found.start()]).lower() + b"\n"
            del head[: found.end()]
            self._seen = 0
            if not 100 <= code < 200 or code == self._check.httpcode:
                return self._judge(code, text)
            self._interim += 1
            if self._interim > _INTERIM:
                return _NONE
            if not head and not ended:
                return None

    def _judge(self, code: int, head: bytes) -> HttpVerdict | None:
        # What counts is the status at the end of all redirects.
        if code in MOVED and b"\nlocation:" in head:
            return _ELSEWHERE
        if code != self._check.httpcode:
            return HttpVerdict(f"HTTP status {code}")
        length = _LENGTH.search(head)
        if code in (204, 304) or code < 200:
            self._body = Body(self._check, 0)
        elif _CHUNKED.search(head):
            self._body = ChunkedBody(self._check)
        else:
            self._body = Body(self._check, int(length[1]) if length is not None else None)
        return None


class Body:
    """A body of ``length`` octets, or without that to the end of the connection."""

    __slots__ = ("_beginning", "_check", "_end", "_left", "_length", "_taken", "_wanted")

    def __init__(self, check: Check, length: int | None = None) -> None:
        self._check = check
        self._wanted = wanted_in(check)
        self._left = check.byteslimit if check.byteslimit > 0 else BODY_LIMIT
        self._length = length
        self._beginning = b""
        self._end = b""
        self._taken = 0

    def feed(self, data: bytes) -> HttpVerdict | None:
        """Read on, also where there is nothing to read."""
        if self._length is not None:
            data = data[: self._length - self._taken]
        verdict = self._take(data)
        if verdict is None and self._taken == self._length:
            return self._whole()
        return verdict

    def end(self) -> HttpVerdict:
        """The connection was closed."""
        if self._length is None:
            return self._whole()
        return HttpVerdict("the connection was closed within the body")

    def _take(self, data: bytes) -> HttpVerdict | None:
        """Look at octets of the body: enough at the limit, not when they hold what is wanted, as a
        server that stalls after that is not up. What came with the last of them is looked at too,
        as PowerDNS has it."""
        self._taken += len(data)
        data = data[: max(self._left, PIECE)]
        self._left -= len(data)
        if len(self._beginning) < _BEGINNING:
            self._beginning += data[: _BEGINNING - len(self._beginning)]
        if self._wanted:
            here = self._end + data
            if self._wanted in here:
                self._wanted = b""
            self._end = here[max(0, len(here) - len(self._wanted) + 1) :]
        return None if self._left > 0 else self._whole()

    def _whole(self) -> HttpVerdict:
        # What is wanted would have been found before.
        wanted = as_written(self._check.stringmatch)
        problem = f"no '{wanted}' in the body" if self._wanted else ""
        return HttpVerdict(problem, weight_of(self._beginning))


class ChunkedBody(Body):
    """A body that comes in chunks (RFC 9112 §7.1)."""

    __slots__ = ("_chunk", "_framing", "_line")

    def __init__(self, check: Check) -> None:
        super().__init__(check)
        self._line = b""
        # Octets to come of the chunk; -1 where a line is, with its size or after its content.
        self._chunk = -1
        self._framing = 0

    def feed(self, data: bytes) -> HttpVerdict | None:
        """Read on."""
        place = 0
        parts = []
        last = False
        while place < len(data) and not last:
            if self._chunk > 0:
                part = data[place : place + self._chunk]
                parts.append(part)
                place += len(part)
                self._chunk -= len(part)
                if not self._chunk:
                    self._chunk = -1
                continue
            end = data.find(b"\n", place)
            line = self._line + data[place : end if end >= 0 else len(data)]
            self._framing += (end + 1 if end >= 0 else len(data)) - place
            if self._framing > _FRAMING or len(line) > _LINE:
                return _NONE
            if end < 0:
                self._line = line
                break
            self._line = b""
            place = end + 1
            if line in (b"", b"\r"):
                continue  # the end of the chunk before
            size = _SIZE.fullmatch(line)
            if size is None:
                return _NONE
            self._chunk = int(size[1], 16) or -1
            last = self._chunk < 0
        verdict = self._take(b"".join(parts))
        return self._whole() if verdict is None and last else verdict

    def end(self) -> HttpVerdict:
        """The connection was closed before the last chunk."""
        return HttpVerdict("the connection was closed within the body")
