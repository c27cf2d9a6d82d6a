"""What ``lzc ctl`` shows of TLS."""

from __future__ import annotations

import time
from typing import Any

from lzc.foreign_text import clauses, shown


def tls_lines(answer: dict[str, Any]) -> list[str]:
    """What is shown over TLS, and what is wrong with that."""
    tls = answer["tls"]
    if not tls:
        return []
    where = ", ".join(map(shown, tls.get("listen", ())))
    names = ", ".join(map(shown, tls["names"])) or "no name"
    left = (tls["expires"] - time.time()) / 86400
    lines = [f"TLS         {where}: nothing to show yet"]
    if tls["expires"]:
        lines = [
            f"TLS         {where}: certificate for {names}, expires in {left:.0f} days,"
            f" pin {shown(tls['pin'])}"
        ]
    if tls["late"]:
        lines.append(
            f"CERTIFICATE {shown(tls['certificate'])}"
            + (f" expires in {left:.1f} days" if left > 0 else f" expired {-left:.1f} days ago")
        )
    if tls["error"]:
        said = shown(clauses(tls["error"]))
        kept = "; the one from before is used" if tls["expires"] else ""
        lines.append(f"TLS FAULT   {said}{kept}")
    return lines
