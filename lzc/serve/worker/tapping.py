"""The query log and dnstap of a worker, as the settings have them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from lzc.config import ServeSection
from lzc.serve.ipc.octet_ring import OctetRing

if TYPE_CHECKING:
    from lzc.serve.transport.tap import Tap


def tapped(serve: ServeSection) -> tuple[object, ...]:
    """What `tap_of` goes by."""
    wants = serve.dnstap is not None
    return serve.query_log, wants, serve.dnstap_sample, serve.dnstap_messages, serve.server_id


def tap_of(serve: ServeSection, ring: OctetRing) -> Tap | None:
    """What hands queries and answers over to the recorder; `None` where nobody wants to know."""
    if not serve.query_log and serve.dnstap is None:
        return None
    # Here, as most servers have neither.
    from lzc.serve.observe.dnstap import endpoints_of
    from lzc.serve.observe.sampling import Sampling
    from lzc.serve.transport.tap import Tap

    # Of this process: others must not choose the same queries.
    chance = random.Random().random
    return Tap(
        ring,
        None if serve.dnstap is None else Sampling(serve.dnstap_sample, chance),
        Sampling(serve.query_log, chance) if serve.query_log else None,
        endpoints_of(serve),
    )
