"""Arguments of commands that are more than text."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from lzc.lua.engine.geo import GeoFields
from lzc.rehearse.assumed import Address, Network, Target, check_moment, parse_place


class ReadParam(click.ParamType[Any]):
    """What a function reads from text; its `ValueError` is wrong usage."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Read the argument."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _address(text: str) -> Address:
    return ipaddress.ip_address(text)


def _network(text: str) -> Network:
    return ipaddress.ip_network(text)


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is not a time such as 2026-12-24T18:00 or 2026-12-24") from None
    return check_moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _place(text: str) -> GeoFields:
    return parse_place(text)


ADDRESS = ReadParam("address", _address)
NETWORK = ReadParam("network", _network)
TARGET = ReadParam("target", Target.parse)
MOMENT = ReadParam("time", _moment)
PLACE = ReadParam("place", _place)
