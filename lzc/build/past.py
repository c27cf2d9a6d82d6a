"""The live bundle as the next one's beginning: its serials, and its zones that did not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from lzc.build.memory import Entry, Memory
from lzc.build.serials import LiveZone
from lzc.bundle import current, shards, verification
from lzc.bundle.manifest import BundleError, Manifest
from lzc.bundle.shard import Shard
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneInfo


class Past:
    """The live bundle in a folder of bundles; use it in a ``with`` statement. What is remembered
    counts if it is of this bundle. Raises `BundleError` where the bundle is damaged."""

    def __init__(self, output: Path | None = None, memory: Memory | None = None) -> None:
        """The live bundle in ``output``; without, the time before there was any."""
        self.folder: Path | None = None
        self.id = ""
        self.entries: Mapping[bytes, Entry] = {}
        self.found_by = b""
        self.keystore: tuple[int, ...] = ()
        self._shards: dict[int, Shard] = {}
        if output is None or not (output / current.CURRENT).is_symlink():
            return
        folder = current.live(output)
        self.manifest: Manifest
        self.manifest, self.id = verification.verify(folder, current.verified_dir(output))
        self.folder = folder
        if memory is not None and memory.bundle == self.id:
            self.entries, self.found_by = memory.zones, memory.found_by
            self.keystore = memory.keystore

    @property
    def shards(self) -> int:
        """The number of its shards; 0 without a bundle."""
        return 0 if self.folder is None else self.manifest.shards

    def live(self, apex: bytes) -> LiveZone | None:
        """A zone's serial and digest."""
        if self.folder is None:
            return None
        info = self._info(apex)
        return None if info is None else LiveZone(info.serial, info.digest, info.source_serial)

    def zone(self, apex: bytes, zone_id: int) -> CompiledZone:
        """A zone as it is in the bundle, under another id; it is in `entries`."""
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
            self._shards[number] = Shard(self.folder, number, self.manifest)
        return self._shards[number]

    def close(self) -> None:
        """Let go of the bundle's files."""
        for shard in self._shards.values():
            shard.close()
        self._shards.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
