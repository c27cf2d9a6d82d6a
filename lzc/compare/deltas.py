"""The deltas beside bundles, held against what they lead from and to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from lzc.bundle import current, delta_store
from lzc.bundle.delta_file import Content, DeltaFile, Step, in_blocks, zone_mark
from lzc.bundle.manifest import ID, BundleError
from lzc.bundle.reader import Bundle
from lzc.bundle.zone_info import ZoneInfo
from lzc.image.delta import rr_end
from lzc.wire import rrtype as rr

_SUM: Final = 16
_MODULUS: Final = 1 << 8 * _SUM
_SOA: Final = b"\xc0\x0c" + rr.SOA.to_bytes(2, "big")


@dataclass(slots=True)
class Deltas:
    """What there is: ``files``, ``deltas`` in them, how many lead from a bundle that is here to
    another (``followed``), and what is wrong: ``damage`` by file."""

    files: int = 0
    deltas: int = 0
    followed: int = 0
    damage: list[tuple[Path, str]] = field(default_factory=list)


def verify(output: Path) -> Deltas:
    """Hash all deltas in a folder of bundles, and apply those to the zones of bundles that lead to
    those of others: they must give them to the octet. Bundles that cannot be read have no part in
    it."""
    found = Deltas()
    files = delta_store.files(output)
    with ExitStack() as opened:
        contents = _contents(output, opened) if files else {}
        for path in files:
            found.files += 1
            try:
                with DeltaFile(path) as file:
                    file.verify_head()
                    for step in file.steps():
                        found.deltas += 1
                        _look_at(file, step, contents, found)
            except BundleError as error:
                found.damage.append((path, str(error)))
    return found


Zones = dict[tuple[bytes, Content], tuple[Bundle, ZoneInfo]]


def _contents(output: Path, opened: ExitStack) -> Zones:
    """The zones of all bundles in a folder by their mark and content."""
    found: Zones = {}
    for folder in sorted(one for one in output.iterdir() if ID.fullmatch(one.name)):
        try:
            bundle = Bundle.open(folder, verified_dir=current.verified_dir(output))
        except BundleError:
            continue
        opened.enter_context(bundle)
        for info in bundle.zones():
            content = Content(info.serial, bytes.fromhex(info.digest))
            found[zone_mark(info.apex), content] = bundle, info
    return found


def _look_at(file: DeltaFile, step: Step, contents: Zones, found: Deltas) -> None:
    blocks = file.blocks(step)
    mark = step.entry[: len(zone_mark(b""))]
    before, after = contents.get((mark, step.before)), contents.get((mark, step.after))
    if before is None or after is None:
        return
    found.followed += 1
    try:
        if (_sum(*before) + _change(blocks)) % _MODULUS == _sum(*after):
            return
    except (IndexError, ValueError):
        pass
    which = f"from serial {step.before.serial} to {step.after.serial}"
    raise BundleError(f"{file.path}: the delta {which} does not lead from one zone to the other")


def _sum(bundle: Bundle, info: ZoneInfo) -> int:
    """A sum over the RRs of a zone's transfer, each once."""
    transfer, total, position = bundle.transfer(info), 0, 0
    skipped = 2 + 12 + len(info.apex) + 4
    soas = 0
    while position < len(transfer):
        end = position + 2 + (transfer[position] << 8 | transfer[position + 1])
        for one in _rrs(transfer[position + skipped : end]):
            soas += one[:4] == _SOA
            if one[:4] != _SOA or soas == 1:
                total += _hash(one)
        position = end
    return total % _MODULUS


def _change(blocks: bytes) -> int:
    """What a difference sequence makes of such a sum."""
    total = soas = 0
    for _, block in in_blocks(blocks):
        for one in _rrs(memoryview(block)):
            soas += one[:4] == _SOA
            total += _hash(one) if soas > 1 else -_hash(one)
    if soas != 2:
        raise ValueError("a difference sequence without its two SOA records")
    return total


def _rrs(octets: memoryview) -> Iterator[memoryview]:
    position = 0
    while position < len(octets):
        end = rr_end(octets, position)
        yield octets[position:end]
        position = end


def _hash(one: memoryview) -> int:
    return int.from_bytes(blake2b(one, digest_size=_SUM).digest(), "big")
