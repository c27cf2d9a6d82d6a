"""The serials that zones were given, in a file of their own beside the bundles, and a copy of it.

A bundle may be damaged, pruned, of another format, or an older one that an operator made live
again. None of that may bring a serial back that secondaries have with other content. So the last
serial of each zone stands in `FILE`, text of a form that stays as it is:

    lzc serials 1 SHA256-OF-ALL-LINES-BELOW
    bundle ID SUM
    zone NAME FORM SERIAL SOURCE-SERIAL DIGEST SUM
    move NAME FORM FROM TARGET BEGUN SUM

Bundles are those whose serials the file covers, the one made live last at the end. SUM is the
beginning of the SHA-256 of its line up to there: where the file is damaged, the lines that are not
still count, and the copy has the others. FORM is ``live``: secondaries get the zone as it is;
others are in files of their own (`lzc.forms.serials`). A
zone that is on its way to another serial (``lzc serial plan``) has a line ``move``: builds count on
from the last serial meanwhile, whatever the policy says, as secondaries may not have the last step.
Before SUM may stand ``unsure``: secondaries may have something else under the same serial. Later
versions may add fields before SUM, and other lines.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lzc.bundle.current import sync_folder
from lzc.wire.name import to_text
from lzc.zone.serial import MODULUS, compare

FILE: Final = "serials"
COPY: Final = "serials.copy"

SEVERAL: Final = "several"
"""In place of a digest: different contents were given the same serial."""

LIVE: Final = "live"
"""The form of a zone as it is."""
_UNSURE: Final = "unsure"
_MOST_BUNDLES: Final = 100
_SUM: Final = 16
_HEAD: Final = re.compile(rb"lzc serials [0-9]+ ([0-9a-f]{64})")
_ZONE: Final = re.compile(
    rb"zone ([!-~]+ [a-z-]+) ([0-9]{1,10}) ([0-9]{1,10}|-) ([0-9a-f]{64}|several|-)"
    rb"(?: [!-~]+)* [0-9a-f]{16}"
)
_BUNDLE: Final = re.compile(rb"bundle ([0-9a-f]{32})(?: [!-~]+)* [0-9a-f]{16}")
_MOVE: Final = re.compile(
    rb"move ([!-~]+ [a-z-]+) ([0-9]{1,10}) (date|increment|unixtime|[0-9]{1,10}) ([0-9]{1,12})"
    rb"(?: [!-~]+)* [0-9a-f]{16}"
)


@dataclass(frozen=True, slots=True)
class Move:
    """A zone on its way from serial ``start`` to ``target``, a serial or the name of a policy,
    since ``begun``, in seconds since the epoch."""

    start: int
    target: str
    begun: int


@dataclass(frozen=True, slots=True)
class LastSerial:
    """The last serial that a zone was given. ``digest`` is that of the content it stands for
    (`lzc.bundle.zone_info.ZoneInfo`), or `SEVERAL`, or empty where it is not known; ``source`` is
    what the SOA record said in the source, or `None` where that is not known. ``sure`` is false
    where another content may have been given the same serial before."""

    serial: int
    digest: str
    source: int | None
    sure: bool = True


def later(before: LastSerial | None, found: LastSerial) -> LastSerial:
    """Which of two counts, ``found`` being the one of the later bundle: the one that secondaries
    take for newer (RFC 1982)."""
    if before is None:
        return found
    order = compare(found.serial, before.serial)
    if order == 0:
        if before.digest in ("", found.digest):
            return found
        if not found.digest:
            return before
        return LastSerial(found.serial, SEVERAL, found.source)
    return found if order == 1 else before


class SerialStore:
    """The last serials of a folder of bundles; get it from `load`, and change it under
    `lzc.bundle.current.locked` alone. ``whole`` is false where there was no undamaged file,
    ``problems`` say of a file what is wrong with it, ``stale`` is true while the files are not
    what is known."""

    def __init__(self) -> None:
        """What there is before the first build."""
        self.whole = False
        self.problems: list[tuple[Path, str]] = []
        self.bundles: list[str] = []
        self.stale = True
        self._lines: dict[bytes, bytes] = {}
        self._moves: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        """The number of zones, those that are gone included."""
        return len(self._lines)

    @property
    def last_bundle(self) -> str:
        """The id of the bundle that was made live last, empty where that is not known."""
        return self.bundles[-1] if self.whole and self.bundles else ""

    def get(self, apex: bytes, form: str = LIVE) -> LastSerial | None:
        """The last serial of a zone (lower-case wire name) in a form; None for a zone that never
        had a serial."""
        line = self._lines.get(_key(apex, form))
        return None if line is None else _read(line)

    def put(self, apex: bytes, given: LastSerial, form: str = LIVE) -> None:
        """Give a zone a serial, whatever it had before."""
        key = _key(apex, form)
        before = self.get(apex, form)
        sure = given.sure
        if before is not None and before.serial == given.serial:
            # Of a bundle that is damaged, the serial may be known and the content not.
            sure = sure and before.sure and before.digest == given.digest
        source = "-" if given.source is None else str(given.source)
        more = "" if sure else f" {_UNSURE}"
        text = f"{given.serial} {source} {given.digest or '-'}{more}".encode()
        line = _summed(b"zone " + key + b" " + text)
        self.stale |= self._lines.get(key) != line
        self._lines[key] = line

    def meet(self, apex: bytes, found: LastSerial) -> None:
        """Take note of a serial that was found in a bundle: it counts where it is `later`."""
        before = self.get(apex)
        after = later(before, found)
        if after != before:
            self.put(apex, after)

    def move(self, apex: bytes) -> Move | None:
        """Where a zone (lower-case wire name) is on its way to, if it is."""
        line = self._moves.get(_key(apex))
        if line is None:
            return None
        _, _, _, start, target, begun, *_ = line.decode().split(" ")
        return Move(int(start), target, int(begun))

    def set_move(self, apex: bytes, move: Move | None) -> None:
        """Have a zone on its way, or not any more."""
        key = _key(apex)
        line = None
        if move is not None:
            text = f"{move.start} {move.target} {move.begun}".encode()
            line = _summed(b"move " + key + b" " + text)
        self.stale |= self._moves.get(key) != line
        if line is None:
            self._moves.pop(key, None)
        else:
            self._moves[key] = line

    def cover(self, bundle: str) -> None:
        """From now on the serials of the bundle with this id need not be looked at again. The
        bundle covered last is the bundle that is made live."""
        if self.bundles[-1:] != [bundle]:
            others = [one for one in self.bundles if one != bundle]
            self.bundles = [*others, bundle][-_MOST_BUNDLES:]
            self.stale = True

    def save(self, output: Path) -> None:
        """Bring both files to disk, one after the other. Raises `OSError`."""
        octets = self._encode()
        for name in (FILE, COPY):
            fresh = output / f".{name}.new"
            with fresh.open("wb") as out:
                out.write(octets)
                out.flush()
                os.fsync(out.fileno())
            fresh.replace(output / name)
            sync_folder(output)
        self.stale = False

    def _encode(self) -> bytes:
        lines = [_summed(b"bundle " + bundle.encode()) for bundle in self.bundles]
        lines += [line for _, line in sorted(self._lines.items())]
        lines += [line for _, line in sorted(self._moves.items())]
        below = b"".join(line + b"\n" for line in lines)
        return f"lzc serials 1 {hashlib.sha256(below).hexdigest()}\n".encode() + below


def load(output: Path) -> SerialStore:
    """What both files say together; nothing where there are none."""
    store = SerialStore()
    paths = [output / name for name in (COPY, FILE)]
    copy, main = read = [_read_file(path) for path in paths]
    for path, (octets, lines, problem) in zip(paths, read, strict=True):
        if problem:
            store.problems.append((path, problem))
        if octets is None:
            continue
        if path.name == FILE or octets != main[0]:
            if path.name == FILE and not problem:
                # A move that ended is not taken up again for a copy that is older.
                store._moves.clear()
            _take(store, lines)
        store.whole = store.whole or not problem
    store.stale = not store.whole or bool(store.problems) or copy[0] != main[0]
    return store


def _read_file(path: Path) -> tuple[bytes | None, list[bytes], str]:
    """The octets of a file, its lines that are right, and what is wrong with it."""
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        return None, [], ""
    except OSError as error:
        return None, [], f"cannot be read: {error.strerror}"
    head, _, below = octets.partition(b"\n")
    lines = below.split(b"\n")
    found = _HEAD.fullmatch(head)
    if found and found[1].decode() == hashlib.sha256(below).hexdigest():
        return octets, lines, ""
    right = [line for line in lines if line and _summed(line[: -_SUM - 1]) == line]
    return octets, right, f"damaged: {len(right)} of its {len(lines) - 1} lines are right"


def _take(store: SerialStore, lines: Iterable[bytes]) -> None:
    known = store._lines
    for line in lines:
        if found := _ZONE.fullmatch(line):
            before = known.get(found[1])
            if _in_range(line) and (
                before is None or later(_read(before), _read(line)) == _read(line)
            ):
                known[found[1]] = line
        elif found := _MOVE.fullmatch(line):
            if all(int(one) < MODULUS for one in found.group(2, 3) if one.isdigit()):
                store._moves[found[1]] = line
        elif found := _BUNDLE.fullmatch(line):
            store.cover(found[1].decode())


def _in_range(line: bytes) -> bool:
    _, _, _, serial, source, *_ = line.split(b" ")
    return int(serial) < MODULUS and (source == b"-" or int(source) < MODULUS)


def _read(line: bytes) -> LastSerial:
    _, _, _, serial, source, digest, *more, _ = line.decode().split(" ")
    return LastSerial(
        int(serial),
        "" if digest == "-" else digest,
        None if source == "-" else int(source),
        _UNSURE not in more,
    )


def _key(apex: bytes, form: str = LIVE) -> bytes:
    return f"{to_text(apex)} {form}".encode()


def _summed(line: bytes) -> bytes:
    return line + b" " + hashlib.sha256(line).hexdigest()[:_SUM].encode()
