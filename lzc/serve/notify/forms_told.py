"""Which serial each secondary is to have of which zone: that of the zone as it is, or that of the
form in which it gets it, once that is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lzc.answer.transfer_access import Handed
from lzc.config import Form, SecondarySection
from lzc.wire import name as wire_name

Facts = Mapping[bytes, tuple[bool, bool]]
"""Of zones by apex that have more than one form: whether they have LUA records, and whether lzc
signs them."""


class FormsTold:
    """Of a server, whose secondaries are ``sections``."""

    def __init__(self, sections: Sequence[SecondarySection]) -> None:
        self._sections = sections
        self._facts: Facts = {}
        self._needed: set[tuple[bytes, Handed]] = set()
        self.is_needed = False
        """Whether any secondary gets a form of its own."""
        self._made: dict[tuple[bytes, Handed], tuple[int, str]] = {}

    def follow(self, sections: Sequence[SecondarySection]) -> None:
        """These are the secondaries from now on."""
        self._sections = sections
        self.know(self._facts)

    def know(self, facts: Facts) -> None:
        """These are the zones from now on."""
        self._facts = facts
        self._needed = needed = {
            (apex, what)
            for apex in facts
            for section in self._sections
            if (what := self.of(section, apex)) is not None
        }
        self._made = {which: made for which, made in self._made.items() if which in needed}
        self.is_needed = bool(needed)

    def take(self, apex: bytes, what: Handed, serial: int, problem: str) -> bool:
        """A form has this serial, 0: none yet; ``problem`` says why it is not what it is to be.
        Whether anything of that is new, and about what somebody is to get."""
        if (apex, what) not in self._needed:
            # Of a publisher that knows older settings.
            return False
        new = self._made.get((apex, what)) != (serial, problem)
        self._made[apex, what] = serial, problem
        return new

    def of(self, section: SecondarySection, apex: bytes) -> Handed | None:
        """The form in which a secondary gets a zone; `None` where that is as it is, or not."""
        facts = self._facts.get(apex)
        if facts is None or not section.takes(wire_name.to_text(apex)):
            return None
        choice = section.choice(lua=facts[0], signed=facts[1])
        if choice.form is None or not choice.is_published:
            return None
        if choice.form is Form.FLATTENED:
            return Handed(choice.form, section.view)
        return Handed(choice.form)

    def serials(
        self, section: SecondarySection, serials: Mapping[bytes, int]
    ) -> Mapping[bytes, int]:
        """Those that a secondary is to have, of the zones that it can have by now."""
        if not self._facts:
            return serials
        found = dict(serials)
        for apex, (lua, signed) in self._facts.items():
            if apex not in found or not section.takes(wire_name.to_text(apex)):
                continue
            form = section.choice(lua=lua, signed=signed).form
            if form is Form.LIVE:
                continue
            what = self.of(section, apex)
            serial = 0 if what is None else self._made.get((apex, what), (0, ""))[0]
            if serial:
                found[apex] = serial
            else:
                del found[apex]
        return found

    def forms_of(self, section: SecondarySection) -> list[dict[str, Any]]:
        """For ``lzc ctl secondaries``: the zones that a secondary does not get as they are, in
        which form, why, and the serial of that, 0 where it is not made."""
        found = []
        for apex, (lua, signed) in sorted(self._facts.items()):
            if not section.takes(wire_name.to_text(apex)):
                continue
            choice = section.choice(lua=lua, signed=signed)
            what = self.of(section, apex)
            if choice.form is Form.LIVE:
                continue
            serial, problem = (0, "") if what is None else self._made.get((apex, what), (0, ""))
            found.append(
                {
                    "zone": wire_name.to_text(apex),
                    "form": None if choice.form is None else str(choice.form),
                    "why": choice.why,
                    "client": "" if what is None else what.view.client,
                    "serial": serial,
                    "problem": problem,
                }
            )
        return found

    def status(self) -> list[dict[str, Any]]:
        """All that are made."""
        return [
            {
                "zone": wire_name.to_text(apex),
                "form": str(what.form),
                "client": what.view.client,
                "health": what.view.health,
                "serial": serial,
                "problem": problem,
            }
            for (apex, what), (serial, problem) in sorted(self._made.items())
        ]
