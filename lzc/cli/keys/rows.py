"""A key as a row of a table, and as an object of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lzc.cli.screen import echo, echo_json
from lzc.dnssec import algorithms, ds
from lzc.dnssec.key import ForeignKey, SigningKey, role
from lzc.dnssec.keystore.keystore import base_name
from lzc.wire import name as wire_name

AnyKey = SigningKey | ForeignKey


def show(
    keys: Sequence[AnyKey], siblings: Sequence[AnyKey], now: float, output_format: str
) -> None:
    """Print keys, a row each; ``siblings`` are all keys of their zones."""
    rows = [describe(key, siblings, now) for key in keys]
    if output_format == "json":
        echo_json(rows)
        return
    columns = {"zone": "ZONE", "tag": "TAG", "algorithm": "ALGORITHM", "role": "ROLE"}
    if any(row["token"] for row in rows):
        columns["private"] = "PRIVATE"
    columns |= {"state": "STATE", "ds": "DS (SHA-256)"}
    table([list(columns.values()), *([str(row[column]) for column in columns] for row in rows)])


def table(lines: Sequence[Sequence[str]]) -> None:
    """Print lines with their cells below each other."""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        echo("  ".join(cells).rstrip())


def describe(key: AnyKey, siblings: Sequence[AnyKey], now: float) -> dict[str, Any]:
    """What is said of a key in a list."""
    record = ds.to_text(key.zone, ds.ds_rdata(key.zone, key.dnskey)).split(" DS ")[1]
    kind = "private" if isinstance(key, SigningKey) else "key"
    token = key.token if isinstance(key, SigningKey) else None
    return {
        "zone": wire_name.to_text(key.zone),
        "tag": key.tag,
        "algorithm": algorithms.to_text(key.algorithm),
        "algorithm_number": key.algorithm,
        "role": role(key, [other for other in siblings if other.zone == key.zone]),
        "state": state(key, now),
        "ds": record if key.is_sep else "",
        "token": None if token is None else str(token),
        "private": "token" if token else "file" if isinstance(key, SigningKey) else "elsewhere",
        "file": f"{base_name(key)}.{kind}",
    }


def state(key: AnyKey, now: float) -> str:
    """In one word: that of its dates, or of a key of another operator, ``foreign``, unless it is
    hidden."""
    found = key.timing.state(now)
    if isinstance(key, ForeignKey) and found in ("active", "published"):
        return "foreign"
    return found
