"""Zones read from text, for tests."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lzc.faults import Fault
from lzc.source.zonefile import read_zone
from lzc.zone.model import Zone


def read_zone_text(
    text: bytes,
    apex: bytes,
    file_name: str,
    *,
    insert_whitespace: bool = True,
    powerdns: bool = False,
) -> tuple[Zone, list[Fault]]:
    """As `read_zone`, for the text of a file; places show ``file_name``. The zone tells of no file
    that was read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / "zone"
        path.write_bytes(text)
        found = read_zone(
            path,
            apex,
            shown_as=file_name,
            insert_whitespace=insert_whitespace,
            powerdns=powerdns,
        )
    found[0].inputs.clear()
    return found
