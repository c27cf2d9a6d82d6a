"""The status page as HTML: one document without scripts, and without anything to load.

A page is made from values (`lzc.serve.observe.status.known.Known`) with the templates in
``templates/status``. What others wrote goes through `lzc.foreign_text.shown` on its way into a
cell, and all text through the escaping of Jinja2 on its way into the document.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jinja2
from markupsafe import Markup

from lzc.foreign_text import one_line
from lzc.serve.observe.process import ProcessUse
from lzc.serve.observe.status.checks import chosen, health
from lzc.serve.observe.status.known import Known
from lzc.serve.observe.status.lua_zones import lua
from lzc.serve.observe.status.processes import answers, processes
from lzc.serve.observe.status.refusals import refused
from lzc.serve.observe.status.request import Asked
from lzc.serve.observe.status.secondaries import secondaries
from lzc.serve.observe.status.sparkline import HEIGHT, WIDTH
from lzc.serve.observe.status.summary import WORDS, Level, problems_of, verdict
from lzc.serve.observe.status.table import Section
from lzc.serve.observe.status.tiles import tiles
from lzc.serve.observe.status.unlisted_checks import Report, unlisted
from lzc.serve.observe.status.words import clock, lasting
from lzc.serve.observe.status.zones import keys, zones
from lzc.shipped_files import shipped

Told = Mapping[bytes, Mapping[str, Any]] | None
"""What the checker says of the checks that are shown, by key."""

CLASSES: Final = {
    Level.FAILING: "failing",
    Level.AT_RISK: "risk",
    Level.NOTE: "note",
    Level.GOOD: "good",
}
GLYPHS: Final = {Level.FAILING: "✕", Level.AT_RISK: "▲", Level.NOTE: "○", Level.GOOD: "✓"}
"""So that a state is never told by its colour alone."""
_ICONS: Final = {
    Level.FAILING: "%3Cpath fill='%23c11' d='M0 0h16v16H0z'/%3E"
    "%3Cpath stroke='%23fff' stroke-width='3' d='M4 4l8 8M12 4l-8 8'/%3E",
    Level.AT_RISK: "%3Cpath fill='%23e90' d='M8 0l8 16H0z'/%3E",
    Level.NOTE: "%3Ccircle cx='8' cy='8' r='8' fill='%23283'/%3E",
    Level.GOOD: "%3Ccircle cx='8' cy='8' r='8' fill='%23283'/%3E",
}
_TEMPLATES: Final = {
    name: (shipped("templates") / "status" / name).read_text() for name in ("page.css", "page.html")
}
"""Read with this module: a page is not to be made with those of another version."""
_HERE: Final = {"bundle": "zones", "rates": "answers"}
"""Sections in which what is about these is."""
REFRESHES: Final = (0, 10, 60)
"""Seconds that the page offers."""


class StatusPage:
    """Makes pages."""

    def __init__(self) -> None:
        environment = jinja2.Environment(
            loader=jinja2.DictLoader(_TEMPLATES),
            undefined=jinja2.StrictUndefined,
            autoescape=True,
            finalize=_tamed,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        style = _TEMPLATES["page.css"]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self';"
            " base-uri 'none'; frame-ancestors 'none'"
        )
        """The Content-Security-Policy of its pages: nothing is loaded, and no script runs."""
        self._template = environment.get_template("page.html")
        self._template.globals.update(
            style=Markup(style),  # noqa: S704 - it is ours
            classes=CLASSES,
            glyphs=GLYPHS,
            words=WORDS,
            width=WIDTH,
            height=HEIGHT,
            refreshes=REFRESHES,
            Level=Level,
        )

    def checks(self, known: Known, asked: Asked) -> list[bytes]:
        """The keys of the checks that a page shows, of which it wants to be told more."""
        if asked.section not in ("", "health"):
            return []
        return [check.key for check in chosen(known, asked)[0]]

    def make(
        self,
        known: Known,
        asked: Asked,
        told: Told,
        used: Mapping[str, ProcessUse],
        report: Report = (),
    ) -> bytes:
        """The document, in UTF-8; ``report`` is what the checker says of checks that no bundle
        lists."""
        problems = problems_of(known)
        level, line = verdict(problems)

        shown = [one for one in problems if asked.section in ("", _place(one.section))]

        def where(section: str) -> str:
            there = _place(section)
            return f"#{there}" if asked.section in ("", there) else f"{asked.link('')}#{there}"

        seen = known.seen
        return self._template.render(
            asked=asked,
            host=known.host,
            seen=seen,
            level=level,
            verdict=line,
            icon=_ICONS[level],
            urgent=[one for one in shown if one.level <= Level.AT_RISK],
            notes=[one for one in shown if one.level == Level.NOTE],
            elsewhere=len(problems) - len(shown),
            where=where,
            tiles=[] if asked.section else tiles(known),
            sections=_sections(known, asked, told, used, report),
            now=clock(seen.now),
            up_for=lasting(seen.uptime),
            built=lasting(seen.now - seen.bundle.built_at),
            live_for=lasting(seen.now - seen.bundle.loaded_at),
        ).encode()


def _tamed(value: object) -> object:
    """The net below `lzc.foreign_text.shown`: what is put into a template, but for what is HTML."""
    return one_line(value, None) if isinstance(value, str) and type(value) is not Markup else value


def _place(section: str) -> str:
    return _HERE.get(section, section)


def _sections(
    known: Known, asked: Asked, told: Told, used: Mapping[str, ProcessUse], report: Report
) -> Sequence[Section]:
    # Few servers have any.
    others = [unlisted(known, asked, report)] if report is None or report else []
    made = {
        "zones": lambda: zones(known, asked),
        "keys": lambda: keys(known, asked),
        "health": lambda: health(known, asked, told),
        "secondaries": lambda: secondaries(known, asked),
        "lua": lambda: lua(known, asked),
        "refused": lambda: refused(known, asked),
    }
    if asked.section:
        return [made[asked.section](), *(others if asked.section == "health" else ())]
    order = ("zones", "keys", "secondaries", "lua", "refused")
    return [
        made["health"](),
        *others,
        *(made[name]() for name in order),
        answers(known),
        processes(known, used),
    ]
