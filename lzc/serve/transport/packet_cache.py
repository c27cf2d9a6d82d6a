"""Whole answers, found by the octets of the query that follow its ID."""

from __future__ import annotations

from typing import Final

from lzc.answer.planned import Choice, Choose

Entry = tuple[bytes, int, Choose | None]
"""An answer without its ID, or what chooses one; and the label that it is counted with
(`lzc.serve.ipc.traffic`)."""

OCTETS: Final = 64 * 2**20
"""Octets of queries and answers kept at most, whatever the number of entries."""
_ENTRY_OVERHEAD: Final = 260
"""Octets that CPython takes for a dict entry, a tuple and the headers of two bytes objects."""
_CHOICE_OCTETS: Final = 1500
"""Likewise for what chooses among answers, without these."""
_MARKS: Final = 1 << 18


class PacketCache:
    """Two generations of answers, or of what chooses one among several: when the young one is half
    of the limit it becomes the old one, and what was old is dropped. That is near to
    least-recently-used and costs a hit nothing.

    The hot loop reads ``young`` itself; `older` is asked when that misses. Answers must depend on
    nothing but the query's octets after the ID (and the transport, of which each has its own
    cache). ``entries`` 0 keeps nothing.

    What is offered is kept when it is offered again: a flood of names that are never repeated takes
    no memory (which costs more than to find the answer) and drives out nothing. One octet in a
    table of marks, found by the hash of the query, remembers an offer; it may be forgotten for
    another's sake, and one in 255 strangers is taken for known.
    """

    __slots__ = (
        *("_half", "_half_octets", "_marks", "_octets", "_returned", "entries", "evictions"),
        *("old", "young"),
    )

    def __init__(self, entries: int, octets: int = OCTETS) -> None:
        self.entries = entries
        self._half = entries // 2
        self._half_octets = octets // 2
        self._octets = 0
        self._marks = bytearray(_MARKS if entries else 0)
        self._returned = 0  # those that are in both
        self.evictions = 0
        self.young: dict[bytes, Entry] = {}
        self.old: dict[bytes, Entry] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self.old) - self._returned

    def older(self, key: bytes) -> Entry | None:
        """Look into the old generation; what is found there is young again."""
        found = self.old.get(key)
        if found is not None:
            wire, _, choose = found
            self._returned += key not in self.young
            self.put(key, found, len(wire) if choose is None else _CHOICE_OCTETS)
        return found

    def offer(self, key: bytes, answer: bytes | Choice, label: int) -> None:
        """Keep the answer (a whole message) to a query if it was offered before; ``label`` is that
        of further queries like it. ``young`` may be another dict afterwards."""
        marks = self._marks
        if marks:
            value = hash(key)
            mark = value >> 20 & 255 or 1
            if marks[value & _MARKS - 1] == mark:
                if isinstance(answer, bytes):
                    self.put(key, (answer[2:], label, None), len(answer))
                else:
                    self.put(key, (b"", label, answer.choose), answer.octets + _CHOICE_OCTETS)
            else:
                marks[value & _MARKS - 1] = mark

    def put(self, key: bytes, answer: Entry, size: int) -> None:
        """Keep ``answer``, which takes ``size`` octets. ``young`` may be another dict
        afterwards."""
        octets = len(key) + size + _ENTRY_OVERHEAD
        self._octets += octets
        if len(self.young) >= self._half or self._octets > self._half_octets:
            if not self._half:
                return
            self.evictions += len(self.old) - self._returned
            self.old = self.young
            self.young = {}
            self._octets = octets
            self._returned = int(key in self.old)
        self.young[key] = answer

    def clear(self) -> None:
        """Drop everything."""
        self.young = {}
        self.old = {}
        self._octets = self._returned = 0
