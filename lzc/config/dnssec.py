"""``[dnssec]``: keys."""

from __future__ import annotations

from typing import Literal

from lzc.config.table import Table


class DnssecSection(Table):
    """``[dnssec]``: keys, and what new ones look like."""

    keystore: str = "keys"
    algorithm: Literal[8, 13, 14, 15] = 13
    policy: Literal["csk", "ksk-zsk"] = "csk"
