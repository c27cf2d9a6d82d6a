"""Families of metrics: a name, what it means, its unit, and samples with labels.

prometheus_client knows how a family begins, and how a number is written. Samples, of which there
may be a hundred thousand, are text as soon as they are made, and not before somebody wants them:
a tenth of the time, and of the memory, that objects of the library would take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate, chain
from typing import Final, NamedTuple

from prometheus_client.core import Metric

from lzc.foreign_text import shown
from lzc.serve.observe.totals import Histogram

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""
LONGEST: Final = 200
"""Characters of a label's value that are shown; of a longer one there is a checksum, too, as two
that begin alike are two, and Prometheus would drop one of them."""
_REMEMBERED: Final = 32_768
"""Sets of labels whose text is kept from one scrape to the next: those of a check or a zone are
those of several samples, and stay for long."""


class Family(NamedTuple):
    """``about`` is the family without samples; ``samples`` come as what stands before the value,
    the name and the labels, and the value. They can be gone through once."""

    about: Metric
    labels: tuple[str, ...]
    samples: Iterator[tuple[str, float]]


def gauge(
    name: str, meaning: str, samples: Iterable[Sample], labels: Sequence[str] = (), unit: str = ""
) -> Iterator[Family]:
    """A family of values that go up and down; none where there are no samples."""
    return _family("gauge", name, "", meaning, samples, labels, unit)


def counter(
    name: str, meaning: str, samples: Iterable[Sample], labels: Sequence[str] = (), unit: str = ""
) -> Iterator[Family]:
    """A family of counts, under ``name`` with ``_total`` behind it."""
    return _family("counter", name, "_total", meaning, samples, labels, unit)


def one(value: float) -> list[Sample]:
    """The sample of a family without labels."""
    return [((), value)]


def histogram(
    name: str,
    meaning: str,
    samples: Iterable[tuple[str, Histogram]],
    label: str,
    unit: str,
) -> Iterator[Family]:
    """A family of distributions by the value of one label; of one, without a label, where that is
    empty."""
    rows: list[tuple[str, float]] = []
    for value, found in samples:
        bounds = [*map(repr, map(float, found.bounds)), "+Inf"]
        counts = list(accumulate(found.counts))
        for bound, count in zip(bounds, counts, strict=True):
            rows.append((f"{name}_bucket{labelled((label, 'le'), (value, bound))}", count))
        labels = labelled((label,), (value,))
        rows += [(f"{name}_count{labels}", counts[-1]), (f"{name}_sum{labels}", found.sum)]
    if rows:
        names = (label, "le") if label else ("le",)
        yield Family(Metric(name, meaning, "histogram", unit), names, iter(rows))


@lru_cache(_REMEMBERED)
def labelled(labels: tuple[str, ...], values: tuple[str, ...]) -> str:
    """Labels with their values as they stand behind a sample's name. One without a value is not
    there."""
    named = sorted(
        (label, fit(value)) for label, value in zip(labels, values, strict=True) if value
    )
    text = ",".join(f'{label}="{_escaped(value)}"' for label, value in named)
    return f"{{{text}}}" if text else ""


def fit(value: str) -> str:
    """A label's value as it is shown, of which no two are the same."""
    if len(value) <= LONGEST:
        return shown(value)
    return f"{shown(value, LONGEST)} {sha256(value.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _family(
    kind: str,
    name: str,
    ending: str,
    meaning: str,
    samples: Iterable[Sample],
    labels: Sequence[str],
    unit: str,
) -> Iterator[Family]:
    rest = iter(samples)
    first = next(rest, None)
    if first is None:
        return
    full, names = f"{name}{ending}", tuple(labels)
    rows = (
        (full + labelled(names, values) if values else full, value)
        for values, value in chain((first,), rest)
    )
    yield Family(Metric(name, meaning, kind, unit), names, rows)
