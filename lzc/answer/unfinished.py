"""Answers that are put together but for a signature.

To sign takes longer than all the rest, and its tables and code drive what Python needs out of the
processor's caches, and the other way round. So who has many questions at once first puts together
the answers to all, and then has all signatures made in a row: 57 µs for each of these where one
after the other takes 72.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lzc.answer.planned import Choice
from lzc.dnssec.signing.cache import Unsigned


class Unfinished(NamedTuple):
    """What an answer lacks: the signature of ``unsigned``, and what stands ``behind`` it.
    ``cacheable`` is that of the whole (`lzc.answer.responder.Response`)."""

    unsigned: Unsigned
    behind: bytes
    cacheable: bool

    def finish(self, before: bytes) -> bytes:
        """The whole answer."""
        return b"".join((before, self.unsigned.signature(), self.behind))


Begun = tuple[bytes, bool | Choice | Unfinished] | None
"""As `lzc.answer.amplification.Answered`, or the beginning of an answer, from its ID to where a
signature goes, and what it lacks."""
Begin = Callable[[bytes, bytes, float, bool, bytes], Begun]
"""As `lzc.answer.amplification.Quick`."""
