"""Metrics as text: Prometheus 0.0.4, or OpenMetrics 1.0 for those who ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from prometheus_client import exposition
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.utils import floatToGoString

from lzc.serve.observe.metrics import families
from lzc.serve.observe.powerdns_names import lines
from lzc.serve.observe.seen import Snapshot

PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_END: Final = b"# EOF\n"


_number: Callable[[float], str] = floatToGoString
_AT_ONCE: Final = 64
"""Samples of a piece: what takes a twentieth of a millisecond."""


class _Alone(NamedTuple):
    """What prometheus_client takes for a registry."""

    family: Metric

    def collect(self) -> Iterator[Metric]:
        """The one."""
        yield self.family


def pieces(seen: Snapshot, content_type: str = PLAIN, *, powerdns: bool = False) -> Iterator[bytes]:
    """All metrics in `PLAIN` or `OPENMETRICS`, in pieces that take little time each; with
    ``powerdns``, also under its names."""
    plain = content_type == PLAIN
    for family in families(seen):
        yield _head(family.about, plain)
        while some := [*islice(family.samples, _AT_ONCE)]:
            text_ = "".join([f"{name} {_number(value)}\n" for name, value in some])
            yield text_.encode()
    if powerdns:
        # A counter of OpenMetrics ends in _total, which those of PowerDNS do not.
        yield lines(seen, counter="counter" if plain else "unknown")
    if not plain:
        yield _END


def text(seen: Snapshot, content_type: str = PLAIN, *, powerdns: bool = False) -> bytes:
    """All pieces together."""
    return b"".join(pieces(seen, content_type, powerdns=powerdns))


def _head(family: Metric, plain: bool) -> bytes:
    if plain:
        return exposition.generate_latest(_Alone(family))
    whole = openmetrics.generate_latest(_Alone(family))  # type: ignore[no-untyped-call]
    return bytes(whole.removesuffix(_END))


def negotiated(accept: str) -> str:
    """The content type for a header Accept (RFC 9110 §12.5.1): OpenMetrics where it is named and
    not wanted less than text."""
    wanted = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for one in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in one.split(";"))
        if kind in wanted:
            wanted[kind] = max(wanted[kind], _quality(parameters))
    openly, plainly = wanted.values()
    return OPENMETRICS if openly and openly >= plainly else PLAIN


def _quality(parameters: list[str]) -> float:
    """Of one media range; not taken where it is of a version that we do not have."""
    quality = 1.0
    for each in parameters:
        name, _, value = each.partition("=")
        if name == "version" and value.strip('"') not in ("0.0.1", "0.0.4", "1.0.0"):
            return 0.0
        if name == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
    return quality
