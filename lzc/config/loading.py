"""How a TOML file is read, and an ``lzc.toml`` as a whole."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

from lzc.config.cross_checks import cross_check
from lzc.config.table import ValidationError
from lzc.config.whole import Config
from lzc.faults import InputError, Place
from lzc.powerdns_versions import Version


def load(path: str | os.PathLike[str], *, against: Version | None = None) -> Config:
    """Read and check a configuration file; for ``against`` see `Config`.

    Raises `InputError` with every fault found; places name the line where the key stands.
    """
    text, data = read_toml(path, fix=_where_else(Path(path)))
    resolved = Path(path).resolve()
    try:
        config = Config.read(data, folder=resolved.parent, file=resolved, against=against)
    except ValidationError as error:
        from lzc.config.faults import describe

        faults = [describe(str(path), text, Config, problem) for problem in error.problems]
        raise InputError(sorted(faults, key=lambda fault: fault.place)) from error
    faults = list(cross_check(config, str(path), text))
    if faults:
        raise InputError(faults)
    return config


def _where_else(path: Path) -> str:
    """What to do where there is no configuration: `lzc init` would replace none, and makes them
    under one name."""
    named = "name the configuration with -c"
    if path.name != "lzc.toml" or os.path.lexists(path):
        return f"{named}, or correct what is in the place of this one"
    folder = [] if path.parent == Path() else [str(path.parent)]
    return f"{named}, or make one with: {shlex.join(['lzc', 'init', *folder])}"


def read_toml(path: str | os.PathLike[str], *, fix: str) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and what it says. ``fix`` is what to do where it cannot be read.
    Raises `InputError`."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise InputError.at(path, "config-unreadable", problem, fix=fix) from error
    text = _decode(raw, str(path))
    try:
        data = tomllib.loads(text)
    except RecursionError:
        fix = "see https://toml.io; no setting of lzc nests deeper than a table in a list"
        raise InputError.at(path, "config-syntax", "values are nested too deep", fix=fix) from None
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\s*\(at line (\d+), column (\d+)\)", str(error))
        lines = text.splitlines() or [""]
        line, column = (int(where[1]), int(where[2])) if where else (len(lines), 1)
        what = str(error)[: where.start() if where else None].removesuffix(" (at end of document)")
        raise InputError.at(
            Place(str(path), line, column),
            "config-syntax",
            f"not valid TOML: {what[:1].lower()}{what[1:]}",
            fix="see https://toml.io; text stands in double quotes, tables in [brackets]",
        ) from error
    return text, data


def _decode(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        *before, line = raw[: error.start].split(b"\n")
        place = Place(path, len(before) + 1, len(line.decode("utf-8")) + 1)
        fix = "save the file as UTF-8"
        raise InputError.at(place, "config-syntax", "not UTF-8", fix=fix) from error
