"""Where the control socket of a server is: ``lzc.toml`` says so, be it broken elsewhere."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from lzc import config as settings
from lzc.cli.screen import echo
from lzc.config import Config
from lzc.faults import Fault, InputError, Place
from lzc.serve.supervise import control

_HEADER: Final = re.compile(r"^[ \t]*\[", re.MULTILINE)


def control_socket(config_path: Path) -> Path:
    """The path. Where the file cannot be used, a server that answers where its readable parts say,
    or where one is by default, is taken, and said. Raises `InputError`."""
    try:
        config = settings.load(config_path)
    except InputError as error:
        return _nevertheless(config_path, error)
    return control.socket_path(config.folder, config.output, config.serve.control_socket)


def _nevertheless(config_path: Path, error: InputError) -> Path:
    told = list(dict.fromkeys(_told(config_path)))
    for path in told:
        if _answers(path):
            echo(str(error), err=True)
            echo(f"lzc: asking the server at {path}, as {config_path} cannot be used", err=True)
            return path
    what = (
        "it would say where the control socket of the server is, and no server answers at"
        f" {' or '.join(map(str, told))}"
    )
    fix = f"name it, for example: --socket {shlex.quote(str(told[-1]))}"
    fault = Fault(Place(str(config_path)), "control-socket", what, fix=fix)
    raise InputError([*error.faults, fault]) from error


def _told(config_path: Path) -> Iterator[Path]:
    """Where it may be, by what can be read of the file, and by default."""
    try:
        folder = config_path.resolve().parent
    except (OSError, RuntimeError):  # links that lead in a circle
        folder = config_path.parent.absolute()
    said = _readable(config_path)
    output = _text(said, "build", "output")
    socket = _text(said, "serve", "control-socket")
    default = Path(Config().build.output)
    if output is not None or socket is not None:
        yield _shown(control.socket_path(folder, folder / (output or default), socket))
    yield _shown(control.socket_path(folder, folder / default, None))


def _shown(path: Path) -> Path:
    """As short as it is from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _text(said: dict[str, Any], table: str, key: str) -> str | None:
    found = said.get(table)
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, str) and "\0" not in value else None


def _readable(config_path: Path) -> dict[str, Any]:
    """What the tables of the file say that are right by themselves, and the lines that are of the
    others."""
    try:
        text = config_path.read_text("utf-8-sig", errors="replace")
    except OSError:
        return {}
    found: dict[str, Any] = {}
    begins = [0, *(match.start() for match in _HEADER.finditer(text)), len(text)]
    for begin, end in pairwise(begins):
        head, *lines = text[begin:end].splitlines() or [""]
        if not _HEADER.match(head):
            head, lines = "", [head, *lines]
        for part in ("\n".join(lines), *lines):
            said = _parsed(f"{head}\n{part}")
            for table in ("build", "serve"):
                if isinstance(said.get(table), dict):
                    found[table] = said[table] | found.get(table, {})
    return found


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _answers(path: Path) -> bool:
    try:
        return control.occupied(path)
    except PermissionError:
        # Somebody may be there, and whoever asks is told that he may not.
        return True
    except OSError:
        return False
