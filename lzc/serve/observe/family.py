"""Families of metrics: a name, what it means, its unit, and samples with labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.core import Metric

from lzc.foreign_text import shown
from lzc.serve.observe.totals import Histogram

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""
LONGEST: Final = 200
"""Characters of a label's value at most."""


def gauge(
    name: str, meaning: str, samples: Iterable[Sample], labels: Sequence[str] = (), unit: str = ""
) -> Iterator[Metric]:
    """A family of values that go up and down; none where there are no samples."""
    return _family("gauge", name, "", meaning, samples, labels, unit)


def counter(
    name: str, meaning: str, samples: Iterable[Sample], labels: Sequence[str] = (), unit: str = ""
) -> Iterator[Metric]:
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
) -> Iterator[Metric]:
    """A family of distributions by the value of one label."""
    family = Metric(name, meaning, "histogram", unit)
    for value, found in samples:
        labels = {label: shown(value, LONGEST)}
        bounds = [*map(float, found.bounds), float("inf")]
        counts = list(accumulate(found.counts))
        for bound, count in zip(bounds, counts, strict=True):
            less = "+Inf" if bound == float("inf") else repr(bound)
            family.add_sample(f"{name}_bucket", {**labels, "le": less}, count)
        family.add_sample(f"{name}_count", labels, counts[-1])
        family.add_sample(f"{name}_sum", labels, found.sum)
    if family.samples:
        yield family


def _family(
    kind: str,
    name: str,
    ending: str,
    meaning: str,
    samples: Iterable[Sample],
    labels: Sequence[str],
    unit: str,
) -> Iterator[Metric]:
    family = Metric(name, meaning, kind, unit)
    full = f"{name}{ending}"
    for values, value in samples:
        # A label without a value is one that is not there.
        named = {k: shown(said, LONGEST) for k, said in zip(labels, values, strict=True) if said}
        family.add_sample(full, named, value)
    if family.samples:
        yield family
