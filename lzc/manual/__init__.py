"""The manual: chapters in Markdown, which come with every installation and are read on the server.

A chapter is a file of this folder. Its first line is its title; comments are for the tests, which
run what it shows; links to other chapters (``[...](health.md)``) are for who reads it in a browser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import Final

NAMES: Final = (
    *("tutorial", "lua", "tests", "health", "secondaries", "provisioning", "xot", "keys"),
    *(
        "operating",
        "metrics",
        "limits",
        "moving",
        "differences",
        "config",
        "rules",
        "commands",
        "bundle",
        "architecture",
    ),
)
"""The chapters, in the order they are listed: first those to learn from, then those to look up."""

_COMMENT: Final = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_LINK: Final = re.compile(r"\[([^\]]+)\]\((?:[a-z]+\.md)?(?:#[^)]*)?\)")


@dataclass(frozen=True, slots=True)
class Chapter:
    """``source`` is Markdown as it lies in the file."""

    name: str
    source: str

    @property
    def title(self) -> str:
        """What the chapter is about, in one line."""
        return self.source.partition("\n")[0].removeprefix("# ")

    @property
    def text(self) -> str:
        """Markdown for who reads it beside no other files: without comments and without links into
        the manual, whose words stay."""
        return _LINK.sub(r"\1", _COMMENT.sub("", self.source))


def chapter(name: str) -> Chapter:
    """A chapter by its name. Raises `KeyError` for one that there is not."""
    if name not in NAMES:
        raise KeyError(name)
    source = resources.files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    return Chapter(name, source)


def chapters() -> list[Chapter]:
    """All chapters, in order."""
    return [chapter(name) for name in NAMES]
