"""What a server may need some day, imported while it begins.

Who upgrades the package of a server that runs puts other modules where its own were: what it
imported then would be of another version than what it has. So none of its processes imports
anything, or reads a file of the package, once it serves; those that are forked later have what the
supervisor has, in the same memory. The library of tokens (PKCS #11) is the exception, as it is
large and few have one: where keys are in a token it is imported with these, which is at the start
unless a reload brings the first.
"""

from __future__ import annotations

import contextlib
import gc
from importlib import import_module
from typing import Final

from lzc.lua.engine import ring, state
from lzc.serve.health import http_client

FOR_WORKERS: Final = (
    "_strptime",
    "cryptography.hazmat.backends.openssl.backend",
    "encodings.unicode_escape",
    "lzc.lua.engine.geo",
    "lzc.serve.observe.sampling",
    "lzc.serve.transport.tap",
    "maxminddb",
)
_IF_THERE: Final = "lmdb._envid"
"""Some versions of lmdb import it with the first environment that they open."""
FOR_OTHERS: Final = (
    "lzc.config.faults",
    "lzc.forms.flatten",
    "lzc.forms.publisher",
    "lzc.serve.health.checker_main",
    "lzc.serve.notify.secondary",
    "lzc.serve.observe.dnstap",
    "lzc.serve.observe.exposition",
    "lzc.serve.observe.frame_stream",
    "lzc.serve.observe.http",
    "lzc.serve.observe.query_log",
    "lzc.serve.observe.recorder",
    "lzc.serve.observe.status.page",
    "lzc.serve.supervise.observer",
)


def for_workers() -> None:
    """What workers may need, before the first is forked."""
    for name in FOR_WORKERS:
        import_module(name)
    with contextlib.suppress(ImportError):
        import_module(_IF_THERE)
    state.read_ahead()
    ring.source()


def for_all() -> None:
    """What the supervisor may need besides, and those that it forks from then on, when workers
    answer already: 0.3 s, and 15 MB in that memory."""
    for name in FOR_OTHERS:
        import_module(name)
    http_client.import_ahead()
    # None of it is garbage, and who is forked shares what nobody writes to.
    gc.freeze()
