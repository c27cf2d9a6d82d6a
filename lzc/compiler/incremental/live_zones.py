"""The zones of the live bundle, read from its files: those that go on as they are in a shard that
others change, and those that are compared. A build with nothing to do reads none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import lmdb

from lzc.bundle import check_list, shards, verification
from lzc.bundle.carried import carried
from lzc.bundle.check_list import CheckList
from lzc.bundle.manifest import CHECKS, BundleError, Manifest, shard_files, transfers_file
from lzc.bundle.shard import Shard, map_file
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneInfo
from lzc.compiler.incremental.memory import CATALOG, BuiltZone


class LiveZones:
    """The zones of a bundle in its ``folder``, as its manifest has it; to be closed. All raise
    `BundleError` for damage."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest
        self._shards: dict[int, Shard] = {}
        self._transfers: dict[int, memoryview] = {}
        self._listed: CheckList | None = None

    def zone(self, apex: bytes, zone_id: int, plans: tuple[bytes, ...] | None) -> CompiledZone:
        """A zone under another id, with the plans of these keys; `None`: with all of its shard."""
        try:
            return self._zone(apex, zone_id, plans)
        except lmdb.Error as error:
            raise self._damaged(error) from error

    def _zone(self, apex: bytes, zone_id: int, plans: tuple[bytes, ...] | None) -> CompiledZone:
        info = self._info(apex)
        if info is None:
            raise BundleError(f"{self._folder}: a zone is missing")
        shard = self._shard(apex)
        if plans is None:
            return carried(shard, info, zone_id)
        asked = {key: shard.plan(key) for key in plans}
        found = {key: plan for key, plan in asked.items() if plan is not None}
        return carried(shard, info, zone_id, found)

    def info(self, apex: bytes) -> ZoneInfo | None:
        """What the bundle says of a zone, if it has it."""
        try:
            return self._info(apex)
        except lmdb.Error as error:
            raise self._damaged(error) from error

    def transfer(self, apex: bytes) -> memoryview | None:
        """The transfer of a zone, if the bundle has it; of a shard that nothing else is read from,
        only the file of transfers is hashed."""
        number = shards.shard_of(apex, self._manifest.shards)
        if number in self._shards:
            info = self.info(apex)
            if info is None:
                return None
            start = info.transfer_offset
            return self._shards[number].transfers[start : start + info.transfer_length]
        if number not in self._transfers:
            name = transfers_file(number)
            verification.verify_file(self._folder, self._manifest, name)
            size = self._manifest.files[name].size
            self._transfers[number] = map_file(self._folder / name, size)
        return _transfer_of(self._transfers[number], apex)

    def apexes(self) -> list[bytes]:
        """The apexes of all zones, ordered by their octets."""
        try:
            return sorted(self._all_apexes())
        except lmdb.Error as error:
            raise self._damaged(error) from error

    def _all_apexes(self) -> Iterator[bytes]:
        for number in range(self._manifest.shards):
            for apex, _ in self._shard_number(number).zones():
                yield bytes(apex)

    def built(self, apex: bytes) -> BuiltZone | None:
        """What the bundle tells of a zone that it has. That does not say which health checks and
        plans are whose, so a zone with LUA records has all."""
        info = self.info(apex)
        if info is None:
            return None
        listed = self._checks()
        asks = info.lua
        constants = listed.constants.get(apex)
        return BuiltZone(
            ("", "", info.signed, info.lua, *((CATALOG,) if info.catalog else ())),
            (),
            bytes.fromhex(info.digest),
            info.records,
            checks=tuple(sorted(one.to_json() for one in listed.checks)) if asks else (),
            constants="" if constants is None else constants.to_json(),
            plans=tuple(self._shard(apex).all_plans()) if asks else (),
            steady=False,
            lua_records=abs(info.lua_records),
        )

    def _checks(self) -> CheckList:
        if self._listed is None:
            verification.verify_file(self._folder, self._manifest, CHECKS)
            try:
                self._listed = check_list.read(self._folder / CHECKS)
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise BundleError(f"{self._folder}: no list of checks: {error}") from error
        return self._listed

    def _info(self, apex: bytes) -> ZoneInfo | None:
        text = self._shard(apex).zone(apex)
        if text is None:
            return None
        try:
            return ZoneInfo.from_json(text)
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{self._folder}: what it says of a zone is damaged") from error

    def _shard(self, apex: bytes) -> Shard:
        return self._shard_number(shards.shard_of(apex, self._manifest.shards))

    def _shard_number(self, number: int) -> Shard:
        if number not in self._shards:
            # What is read from it gets a new hash: damage that no stamp shows would be right then.
            for name in shard_files(number):
                verification.verify_file(self._folder, self._manifest, name)
            self._shards[number] = Shard(self._folder, number, self._manifest)
        return self._shards[number]

    def _damaged(self, error: lmdb.Error) -> BundleError:
        return BundleError(f"{self._folder}: damaged: {error}")

    def close(self) -> None:
        """Let go of the bundle's files."""
        for shard in self._shards.values():
            shard.close()
        self._shards.clear()
        for transfers in self._transfers.values():
            transfers.release()
        self._transfers.clear()


_QUESTION: Final = 2 + 12
"""Octets of a message of a transfer before its question."""


def _transfer_of(transfers: memoryview, apex: bytes) -> memoryview | None:
    """The messages of a zone among those of a shard, which are about one zone after the other."""
    found: list[int] = []
    position = 0
    question = apex + b"\x00\xfc\x00\x01"
    while position < len(transfers):
        end = position + 2 + (transfers[position] << 8 | transfers[position + 1])
        start = position + _QUESTION
        if transfers[start : start + len(question)] == question:
            found = [found[0] if found else position, end]
        elif found:
            break
        position = end
    return transfers[found[0] : found[1]] if found else None
