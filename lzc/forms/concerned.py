"""Which names of a published zone may be otherwise than in its store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lzc.bundle.delta_file import Content, DeltaFile, in_blocks
from lzc.bundle.manifest import BundleError
from lzc.forms.source import Source
from lzc.forms.store import NAME, FormStore, State
from lzc.image.delta import rr_end
from lzc.wire.name import key_of_labels, labels_of


def concerned(source: Source, store: FormStore, transaction: Any, before: State) -> set[bytes]:
    """The names that may be otherwise than in a store: those in the deltas of the bundle, or all
    where these do not lead there."""
    view = source.view
    info = view.info
    now = Content(info.serial, bytes.fromhex(info.digest))
    steps = view.bundle.deltas.way(info.apex, before.source_serial, now)
    try:
        if steps and steps[0].before.digest.hex() == before.source_digest:
            found: set[bytes] = set()
            for step in steps:
                with DeltaFile(step.path) as file:
                    for _, octets in in_blocks(file.blocks(step)):
                        found.update(_owners_in(octets))
            return found
    except BundleError:
        # It is damaged: all names are looked at.
        pass
    found = {name.key for name in source.names()}
    with transaction.cursor(db=store.names) as cursor:
        found.update(key[1:] for key in cursor.iternext(values=False) if key[:1] == NAME)
    return found


def _owners_in(octets: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(octets):
        end = position
        while octets[end] < 0xC0:
            end += 1 + octets[end]
        yield key_of_labels(labels_of(octets[position:end] + b"\x00"))
        position = rr_end(octets, position)
