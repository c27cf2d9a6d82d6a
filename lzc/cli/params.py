"""Arguments of commands that are more than text."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

from lzc.cli.options import ReadParam
from lzc.rehearse.assumed import Target, check_moment, parse_place


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is not a time such as 2026-12-24T18:00 or 2026-12-24") from None
    return check_moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


ADDRESS = ReadParam("address", ipaddress.ip_address)
NETWORK = ReadParam("network", ipaddress.ip_network)
TARGET = ReadParam("target", Target.parse)
MOMENT = ReadParam("time", _moment)
PLACE = ReadParam("place", parse_place)
