"""The query log and dnstap of a worker, as the settings have them."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import TYPE_CHECKING

import lzc
from lzc.config import Config
from lzc.foreign_text import shown

if TYPE_CHECKING:
    from lzc.serve.observe.query_log import ZoneOf
    from lzc.serve.transport.tap import Tap


def tap_of(config: Config, loop: asyncio.AbstractEventLoop, zone_of: ZoneOf) -> Tap | None:
    """What is told of queries and answers; `None` where nobody wants to know. ``zone_of`` gives the
    apex of the zone that a name is in."""
    serve = config.serve
    if not serve.query_log and serve.dnstap is None:
        return None
    # Here, as most servers have neither.
    from lzc.serve.observe.dnstap import CONTENT_TYPE
    from lzc.serve.observe.frame_stream import FrameStream
    from lzc.serve.observe.log_output import output_of
    from lzc.serve.observe.query_log import QueryLog
    from lzc.serve.observe.sampling import Sampling
    from lzc.serve.transport.tap import Tap

    # Of this process: others must not choose the same queries.
    chance = random.Random().random
    stream = query_log = None
    if serve.dnstap is not None:
        frames = FrameStream(config.path(serve.dnstap), CONTENT_TYPE)
        frames.start(loop)
        stream = frames, Sampling(serve.dnstap_sample, chance)
    if serve.query_log:
        where = serve.log if serve.query_log_file is None else serve.query_log_file
        lines = QueryLog(
            output_of(config, where), zone_of, json=serve.log_format == "json", loop=loop
        )
        query_log = lines, Sampling(serve.query_log, chance)
    identity = serve.server_id or shown(socket.gethostname())
    return Tap(stream, query_log, identity=identity, version=f"lzc {lzc.__version__}")
