"""Metrics as text are those that prometheus_client would write, octet by octet, and come in pieces
that take nobody's time."""

from __future__ import annotations

import os
import re
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import exposition as plain
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics

from lzc.serve.observe.exposition import OPENMETRICS, PLAIN, pieces, text
from lzc.serve.observe.family import Family, counter, fit, gauge, histogram
from lzc.serve.observe.totals import Histogram
from tests.unit.serve.all_seen import all_seen

LABELS = ("zone", "check", "a")
VALUES = st.tuples(*[st.text(max_size=12) for _ in LABELS])
NUMBERS = st.one_of(st.booleans(), st.integers(0, 2**64), st.floats(allow_nan=False))
SAMPLES = st.lists(st.tuples(VALUES, NUMBERS), min_size=1, max_size=5)


class Registry:
    """As the library wants it."""

    def __init__(self, family: Metric) -> None:
        self.family = family

    def collect(self) -> list[Metric]:
        return [self.family]


def theirs(family: Metric, content_type: str) -> str:
    if content_type == PLAIN:
        return plain.generate_latest(Registry(family)).decode()
    whole: bytes = openmetrics.generate_latest(Registry(family))  # type: ignore[no-untyped-call]
    return whole.decode()


def ours(family: Family, content_type: str, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as patched:
        patched.setattr("lzc.serve.observe.exposition.families", lambda _: iter((family,)))
        return text(all_seen(os.getpid()), content_type).decode()


def labels_of(values: tuple[str, ...], names: tuple[str, ...] = LABELS) -> dict[str, str]:
    return {k: fit(v) for k, v in zip(names, values, strict=True) if v}


@pytest.mark.parametrize("content_type", [PLAIN, OPENMETRICS])
@given(samples=SAMPLES, meaning=st.text(max_size=20), counts=st.booleans())
def test_samples_are_written_as_the_library_writes_them(
    content_type: str,
    samples: list[tuple[tuple[str, ...], float]],
    meaning: str,
    counts: bool,
) -> None:
    make, kind, ending = (counter, "counter", "_total") if counts else (gauge, "gauge", "")
    (family,) = make("lzc_tried_seconds", meaning, samples, LABELS, "seconds")
    wanted = Metric("lzc_tried_seconds", meaning, kind, "seconds")
    for values, number in samples:
        wanted.add_sample(f"lzc_tried_seconds{ending}", labels_of(values), number)
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert ours(family, content_type, monkeypatch) == theirs(wanted, content_type)


@pytest.mark.parametrize("content_type", [PLAIN, OPENMETRICS])
@given(counts=st.lists(st.integers(0, 2**40), min_size=4, max_size=4), value=st.text(min_size=1))
def test_histograms_are_written_as_the_library_writes_them(
    content_type: str, counts: list[int], value: str
) -> None:
    found = Histogram((0.00025, 0.5, 1e7), tuple(counts), 0.125)
    (family,) = histogram("lzc_tried_bytes", "Tried", [(value, found)], "transport", "bytes")
    wanted = Metric("lzc_tried_bytes", "Tried", "histogram", "bytes")
    labels = labels_of((value,), ("transport",))
    summed = [*accumulate(counts)]
    for bound, count in zip(("0.00025", "0.5", "10000000.0", "+Inf"), summed, strict=True):
        wanted.add_sample("lzc_tried_bytes_bucket", {**labels, "le": bound}, count)
    wanted.add_sample("lzc_tried_bytes_count", labels, summed[-1])
    wanted.add_sample("lzc_tried_bytes_sum", labels, 0.125)
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert ours(family, content_type, monkeypatch) == theirs(wanted, content_type)


def test_a_family_without_samples_is_not_there() -> None:
    assert [*gauge("lzc_none", "None", [], ("zone",))] == []
    assert [*histogram("lzc_none_bytes", "None", [], "transport", "bytes")] == []


@pytest.mark.parametrize("content_type", [PLAIN, OPENMETRICS])
def test_no_piece_has_many_samples_however_many_there_are(content_type: str) -> None:
    made = [*pieces(all_seen(os.getpid(), 1000, 2000, 2), content_type)]
    whole = b"".join(made)
    assert whole.endswith(b"# EOF\n") == (content_type == OPENMETRICS)
    assert len(re.findall(rb"^lzc_health_check_up\{", whole, re.M)) == 2000
    assert len(re.findall(rb"^lzc_secondary_zone_lag_seconds\{", whole, re.M)) == 2000
    assert max(piece.count(b"\n") for piece in made) <= 64
