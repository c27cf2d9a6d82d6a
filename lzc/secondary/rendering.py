"""Templates for other servers: those of lzc, or the operator's own in their place.

What is written into them comes from names and settings that hold any characters: each format has a
filter of its own that quotes them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2

import lzc
from lzc.config import Config
from lzc.faults import InputError
from lzc.foreign_text import shown
from lzc.shipped_files import shipped

_UNPRINTED: Final = re.compile(r"[\x00-\x1f\x7f]")


def render(config: Config, name: str, values: Mapping[str, Any]) -> str:
    """A file made from the template with this name. Raises `InputError` where it cannot be."""
    folders = [] if config.export.templates is None else [config.path(config.export.templates)]
    if folders and not folders[0].is_dir():
        raise InputError.at(
            config.file,
            "export-templates",
            f"templates in [export]: there is no folder {folders[0]}",
            fix="correct it, or take it out: the templates of lzc count then",
        )
    folders.append(shipped("templates") / "secondary")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=False,
        autoescape=False,  # noqa: S701 - no output is HTML
    )
    environment.filters |= {
        "sh": shlex.quote,
        "comment": _comment,
        "quoted": _quoted,
        "lua": _lua,
        "yaml": _yaml,
    }
    try:
        return environment.get_template(name).render(values, lzc=lzc.__version__)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        place, line = getattr(error, "filename", None) or name, getattr(error, "lineno", None)
        raise InputError.at(
            Path(place),
            "export-template",
            f"the template cannot be filled in{'' if line is None else f' (line {line})'}: {error}",
            fix="correct it, or take it out of the folder that templates in [export] names",
        ) from error


def _comment(text: object) -> str:
    """Within a line of comment."""
    return shown(text)


def _quoted(text: str) -> str:
    """A domain name in double quotes; what it has of escapes BIND, NSD, Knot DNS and unbound read
    as those of names."""
    return f'"{_printed(text)}"'


def _lua(text: str) -> str:
    """A string of Lua."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _UNPRINTED.sub(lambda found: f"\\{ord(found[0]):03d}", escaped) + '"'


def _yaml(text: str) -> str:
    """A string of YAML, in single quotes."""
    return "'" + _printed(text).replace("'", "''") + "'"


def _printed(text: str) -> str:
    """A text without control characters. Raises `ValueError` for what cannot be written."""
    if _UNPRINTED.search(text):
        raise ValueError(f"{text!r} has control characters")
    return text
