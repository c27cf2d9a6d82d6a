"""Zones whose serial is lower than one that was served before: secondaries keep what they have.

A build never brings that about; an operator who makes an older bundle live does, or who copies one
that another machine built.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from lzc.serve.observe.log_format import about
from lzc.wire.name import to_text
from lzc.zone.serial import MODULUS, NEAR_END, greater

log = logging.getLogger("lzc")

SHOWN: Final = 20
"""Zones that the answer of a reload lists."""


class FallenSerials:
    """Compares the serials of each bundle that is served with the greatest that were before."""

    def __init__(self) -> None:
        """Nothing was served yet."""
        self._greatest: dict[bytes, int] = {}
        self._fallen: dict[bytes, tuple[int, int]] = {}
        self._near_end: dict[bytes, int] = {}

    def __bool__(self) -> bool:
        """Whether anything is known of what was served."""
        return bool(self._greatest)

    def take(self, bundle: str, serials: Mapping[bytes, int]) -> None:
        """The bundle with this id, whose zones have these serials, is served from now on. Logs a
        warning where some fell."""
        greatest = self._greatest
        fallen = {}
        for apex, serial in serials.items():
            before = greatest.get(apex)
            if before is not None and before != serial and greater(before, serial):
                fallen[apex] = (serial, before)
            else:
                greatest[apex] = serial
        self._fallen, known = fallen, self._fallen
        self._near_end = {
            apex: serial for apex, serial in serials.items() if MODULUS - 1 - serial < NEAR_END
        }
        if fallen and fallen != known:
            apex, (serial, before) = min(fallen.items())
            log.warning(
                "SERIALS FELL with bundle %s: %s",
                *(bundle, self._line()),
                extra=about(
                    bundle=bundle,
                    zone=to_text(apex),
                    serial=serial,
                    served_before=before,
                    zones=len(fallen),
                ),
            )

    @property
    def count(self) -> int:
        """How many zones."""
        return len(self._fallen)

    def status(self, most: int | None = None) -> dict[str, Any]:
        """For ``lzc ctl status``: how many zones, and of each, or of so many, what it has and
        had. May take a while without ``most``: call it in a thread."""
        zones = [
            {"zone": to_text(apex), "serial": serial, "served_before": before}
            for apex, (serial, before) in sorted(self._fallen.items())[:most]
        ]
        return {
            "count": len(self._fallen),
            "zones": zones,
            "why": self._line() if zones else "",
        }

    def near_end(self) -> dict[str, Any]:
        """For ``lzc ctl status``: how many zones have serials after which there are few, and some
        of them."""
        zones = [
            {"zone": to_text(apex), "serial": serial, "left": MODULUS - 1 - serial}
            for apex, serial in sorted(self._near_end.items(), key=lambda one: -one[1])[:SHOWN]
        ]
        return {"count": len(self._near_end), "zones": zones}

    def _line(self) -> str:
        apex, (serial, before) = min(self._fallen.items())
        count = len(self._fallen)
        which = f"{count} zones, such as {to_text(apex)}" if count > 1 else f"zone {to_text(apex)}"
        return (
            f"{which} with {serial} after {before}: secondaries keep the greater and what it stands"
            " for; lzc build gives serials above all that were handed out"
        )
