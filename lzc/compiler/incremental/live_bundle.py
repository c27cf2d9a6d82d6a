"""What was before as the next bundle's beginning: serials, and zones that did not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

import lmdb

from lzc.bundle import current, shards, verification
from lzc.bundle.manifest import BundleError, Manifest, shard_files
from lzc.bundle.serial_store import SerialStore
from lzc.bundle.shard import Shard
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneInfo
from lzc.compiler.incremental.memory import BuiltZone, Memory


class LiveBundle:
    """The live bundle in a folder of bundles; use it in a ``with`` statement. What is remembered
    counts if it is of this bundle, and this is the last that was made live. Raises `BundleError`
    where the bundle is damaged."""

    def __init__(
        self,
        output: Path | None = None,
        memory: Memory | None = None,
        serials: SerialStore | None = None,
        *,
        lost: bool = False,
    ) -> None:
        """The live bundle in ``output``; without, nothing but the serials. ``lost`` is true where
        there were serials that these do not have."""
        self.serials = SerialStore() if serials is None else serials
        self.lost = lost
        self.folder: Path | None = None
        self.id = ""
        self.entries: Mapping[bytes, BuiltZone] = {}
        self.found_by = b""
        self.keystore: tuple[int, ...] = ()
        self._shards: dict[int, Shard] = {}
        if output is None or not (output / current.CURRENT).is_symlink():
            return
        folder = current.live(output)
        self.manifest: Manifest
        self.manifest, self.id = verification.verify(folder, current.verified_dir(output))
        self.folder = folder
        if memory is not None and memory.bundle == self.id == self.serials.last_bundle:
            self.entries, self.found_by = memory.zones, memory.found_by
            self.keystore = memory.keystore

    @property
    def shards(self) -> int:
        """The number of its shards; 0 without a bundle."""
        return 0 if self.folder is None else self.manifest.shards

    def zone(self, apex: bytes, zone_id: int) -> CompiledZone:
        """A zone as it is in the bundle, under another id; it is in `entries`. Raises
        `BundleError`."""
        try:
            return self._zone(apex, zone_id)
        except lmdb.Error as error:
            raise BundleError(f"{self.folder}: damaged: {error}") from error

    def _zone(self, apex: bytes, zone_id: int) -> CompiledZone:
        info = self._info(apex)
        if info is None:
            raise BundleError(f"{self.folder}: a zone is missing")
        shard = self._shard(apex)
        items = list(shard.items(info.zone_id.to_bytes(4, "big")))
        if zone_id != info.zone_id:
            prefix = zone_id.to_bytes(4, "big")
            items = [(prefix + key[4:], node) for key, node in items]
        start = info.transfer_offset
        plans = {key: shard.plan(key) for key in self.entries[apex].plans}
        return CompiledZone(
            replace(info, zone_id=zone_id),
            items,
            [bytes(shard.transfers[start : start + info.transfer_length])],
            {key: plan for key, plan in plans.items() if plan is not None},
        )

    def _info(self, apex: bytes) -> ZoneInfo | None:
        text = self._shard(apex).zone(apex)
        if text is None:
            return None
        try:
            return ZoneInfo.from_json(text)
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{self.folder}: what it says of a zone is damaged") from error

    def _shard(self, apex: bytes) -> Shard:
        assert self.folder is not None
        number = shards.shard_of(apex, self.manifest.shards)
        if number not in self._shards:
            # What is read from it gets a new hash: damage that no stamp shows would be right then.
            for name in shard_files(number):
                verification.verify_file(self.folder, self.manifest, name)
            self._shards[number] = Shard(self.folder, number, self.manifest)
        return self._shards[number]

    def close(self) -> None:
        """Let go of the bundle's files."""
        for shard in self._shards.values():
            shard.close()
        self._shards.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
