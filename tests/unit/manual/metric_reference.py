"""The tables of the chapter about metrics, from a server of which everything is known."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from lzc.serve.observe.family import Family
from lzc.serve.observe.metrics import families
from lzc.serve.observe.powerdns_names import lines
from tests.unit.serve.all_seen import all_seen


def metrics() -> Iterator[str]:
    """A row for each family."""
    yield from ("| name | labels | meaning |", "|---|---|---|")
    for family in families(all_seen(os.getpid())):
        about = family.about
        ending = "_total" if about.type == "counter" else ""
        labels = ", ".join(f"`{label}`" for label in _labels(family))
        meaning = about.documentation.replace("|", r"\|")
        yield f"| `{about.name}{ending}` | {labels} | {meaning} |"


def powerdns() -> Iterator[str]:
    """The names, one after the other."""
    text = lines(all_seen(os.getpid()), counter="counter").decode()
    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    yield ", ".join(f"`{name}`" for name in names) + "."


def _labels(family: Family) -> list[str]:
    there = "".join(name for name, _ in family.samples)
    return [label for label in family.labels if label != "le" and f'{label}="' in there]
