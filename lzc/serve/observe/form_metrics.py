"""Metrics of zones in forms of their own (`lzc.forms`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lzc.serve.observe.family import Family, gauge
from lzc.serve.observe.seen import FormSeen

_LABELS = ("zone", "form", "client")


def forms(seen: Sequence[FormSeen]) -> Iterator[Family]:
    """The families, where there are such forms."""
    if not seen:
        return
    labels = [(one.zone, one.form, one.client or "-") for one in seen]
    yield from gauge(
        "lzc_form_serial",
        "Serial of a zone in a form of its own; client: whose answers a flattened one has; 0: it is"
        " not made yet",
        [(which, one.serial) for which, one in zip(labels, seen, strict=True)],
        _LABELS,
    )
    yield from gauge(
        "lzc_form_problem",
        "1 while a form is not what it is to be; the log says why",
        [(which, bool(one.problem)) for which, one in zip(labels, seen, strict=True)],
        _LABELS,
    )
