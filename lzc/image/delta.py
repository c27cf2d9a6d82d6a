"""What went and what came between two transfers of a zone, in the octets of each.

Secondaries hold a zone as it was sent to them, and some remove a record only where it comes with
these very octets; so the octets of both transfers are compared, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lzc.bundle.delta_file import blocks_of, in_blocks
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr

_BEFORE_QUESTION: Final = 2 + 12
_AFTER_NAME: Final = 4
_POINTER: Final = 0xC0
_FIRST_LOOK: Final = 256
"""Octets that are compared at first; four times as many after each that are equal."""

Octets = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Difference:
    """The SOA records before and after, the RRs that went and those that came, all but these."""

    before: bytes
    removed: Sequence[bytes]
    after: bytes
    added: Sequence[bytes]

    def blocks(self) -> bytes:
        """A difference sequence (RFC 1995 §4) as blocks of a file."""
        return blocks_of([self.before, *self.removed, self.after, *self.added])


def rr_end(octets: Octets, start: int) -> int:
    """The offset after the RR at ``start``, in octets of a transfer."""
    position = start
    while (length := octets[position]) < _POINTER:
        position += 1 + length
    return position + 12 + (octets[position + 10] << 8 | octets[position + 11])


class _Transfer:
    """The RRs of a transfer but the SOA, in order: those of a message at a time. ``soa`` is that
    record, ``data`` what is at hand, ``at`` where in it the next RR begins."""

    def __init__(self, messages: Iterable[Octets], apex: bytes) -> None:
        """Raises `ValueError` or `IndexError` for what is no transfer of the zone."""
        skipped = _BEFORE_QUESTION + len(apex) + _AFTER_NAME
        self._bodies: list[memoryview] = []
        for octets in messages:
            view, position = memoryview(octets), 0
            while position < len(view):
                end = position + 2 + (view[position] << 8 | view[position + 1])
                self._bodies.append(view[position + skipped : end])
                position = end
        self._bodies.reverse()
        first = self._bodies[-1]
        self.soa = bytes(first[: rr_end(first, 0)])
        self._bodies[-1] = first[len(self.soa) :]
        last = self._bodies[0]
        if last[-len(self.soa) :] != self.soa or self.soa[2:4] != rr.SOA.to_bytes(2, "big"):
            raise ValueError("its SOA does not stand at both ends")
        self._bodies[0] = last[: -len(self.soa)]
        self.data = b""
        self.at = 0
        self.fill()

    def fill(self) -> bool:
        """Have a next RR at hand; false where there is none."""
        while self.at == len(self.data):
            if not self._bodies:
                return False
            self.data, self.at = bytes(self._bodies.pop()), 0
        return True

    def owner(self) -> bytes:
        """The labels of the next RR's owner below the apex."""
        position = self.at
        while (length := self.data[position]) < _POINTER:
            position += 1 + length
        return self.data[self.at : position]

    def take_owner(self) -> list[bytes]:
        """The RRs that are left of the next owner."""
        owner, found = self.owner(), []
        while self.fill() and self.owner() == owner:
            end = rr_end(self.data, self.at)
            found.append(self.data[self.at : end])
            self.at = end
        return found


def difference(
    before: Iterable[Octets], after: Iterable[Octets], apex: bytes, most: int
) -> Difference | None:
    """What differs between two transfers, given as their messages, each behind its 16-bit length;
    `None` where it is more than ``most`` octets. Owners come in canonical order in both. Raises
    `ValueError` for what is no transfer of the zone.

    A million records of which one changed take 20 ms: most is compared as octets, not as RRs.
    """
    try:
        return _difference(_Transfer(before, apex), _Transfer(after, apex), most)
    except (ValueError, IndexError) as error:
        raise ValueError(f"no transfer: {error}") from error


def _difference(old: _Transfer, new: _Transfer, most: int) -> Difference | None:
    removed: list[bytes] = []
    added: list[bytes] = []
    size = 2 * (len(old.soa) + len(new.soa))
    while True:
        _pass_equal(old, new)
        gone, come = _next(old, new)
        if not gone and not come:
            return Difference(old.soa, removed, new.soa, added)
        if gone and come:
            gone, come = _only(gone, come), _only(come, gone)
        removed += gone
        added += come
        size += sum(map(len, gone)) + sum(map(len, come))
        if size > most:
            return None


def _next(old: _Transfer, new: _Transfer) -> tuple[list[bytes], list[bytes]]:
    """The RRs of the next owner, of the transfers that have it."""
    if not old.fill():
        return [], new.take_owner() if new.fill() else []
    if not new.fill():
        return old.take_owner(), []
    here, there = old.owner(), new.owner()
    if here == there:
        return old.take_owner(), new.take_owner()
    if _key(here) < _key(there):
        return old.take_owner(), []
    return [], new.take_owner()


def _key(owner: bytes) -> bytes:
    return wire_name.key_of_labels(wire_name.labels_of(owner + b"\x00"))


def _only(rrs: list[bytes], others: list[bytes]) -> list[bytes]:
    """Those that are not among the others."""
    known = set(others)
    return [one for one in rrs if one not in known]


def _pass_equal(old: _Transfer, new: _Transfer) -> None:
    """Go on in both to the first RR that is not the same."""
    while old.fill() and new.fill():
        most = min(len(old.data) - old.at, len(new.data) - new.at)
        equal = _equal_octets(old.data, old.at, new.data, new.at, most)
        if equal < most:
            # Back to the start of an RR. From one on, both have the same ones as far as they are
            # equal, so what is one's start is the other's.
            start, limit = old.at, old.at + equal
            while (end := rr_end(old.data, start)) <= limit:
                start = end
            equal = start - old.at
        old.at += equal
        new.at += equal
        if equal < most:
            return


def _equal_octets(left: bytes, at: int, right: bytes, there: int, most: int) -> int:
    """How many octets are equal from two offsets on, up to ``most``."""
    done, step = 0, _FIRST_LOOK
    while done < most:
        step = min(step, most - done)
        ours, theirs = at + done, there + done
        if left[ours : ours + step] == right[theirs : theirs + step]:
            done += step
            step *= 4
        elif step == 1:
            return done
        else:
            step //= 2
    return done


def condensed(sequences: Iterable[bytes]) -> Difference:
    """Difference sequences that follow each other, given as blocks, in one: what came and went in
    between is in none of its parts. Raises `ValueError` for what is no such sequence."""
    removed: dict[bytes, int] = {}
    added: dict[bytes, int] = {}
    first = last = b""
    for sequence in sequences:
        before, after = b"", b""
        for one in _rrs(sequence):
            if one[:4] == _SOA:
                if before:
                    after = one
                else:
                    before = one
                continue
            undone, kept = (removed, added) if after else (added, removed)
            if undone.get(one):
                undone[one] -= 1
            else:
                kept[one] = kept.get(one, 0) + 1
        if not after:
            raise ValueError("a difference sequence without its two SOA records")
        first, last = first or before, after
    if not first:
        raise ValueError("no difference sequences")
    return Difference(first, _times(removed), last, _times(added))


_SOA: Final = b"\xc0\x0c" + rr.SOA.to_bytes(2, "big")


def _rrs(sequence: bytes) -> Iterator[bytes]:
    for _, block in in_blocks(sequence):
        position = 0
        while position < len(block):
            end = rr_end(block, position)
            yield block[position:end]
            position = end


def _times(counts: dict[bytes, int]) -> list[bytes]:
    return [one for one, count in counts.items() for _ in range(count)]
