"""Trying a geo database before anything relies on it, where it can do no harm.

A record may be made of other parts of the file, and these of others, so that a kilobyte holds more
than any memory; and the library that reads it is in C, where a damaged file may crash it. While it
reads, it stops the whole process. So what is new is tried by a child, which the kernel ends.
"""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from lzc.contained import Begin, Contained, Ended, Home

SECONDS: Final = 10
"""Seconds of CPU time for all addresses that are tried; those of a good database take 0.01."""
_TRIED: Final = 512


def try_database(path: Path) -> None:
    """Look some addresses up, the same in each run. What is cut short, no database, or says more
    of an address than can be read raises `OSError`, `ValueError` or `RuntimeError`."""
    # Here, as the child must not wait for what another thread imports.
    import maxminddb  # noqa: F401

    trial: Contained[Path, None] = Contained(_try, seconds=SECONDS, memory=path.stat().st_size)
    try:
        trial.ask(path)
    except (Ended, MemoryError) as error:
        why = "its process ran out of memory" if isinstance(error, MemoryError) else error
        raise ValueError(f"addresses cannot be looked up in it: {why}") from error
    finally:
        trial.close()


def _try(path: Path, _begin: Begin, _home: Home) -> None:
    _look_up(path)


def _look_up(path: Path) -> None:
    import maxminddb

    with maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT) as reader:
        rng = random.Random(1)
        six = reader.metadata().ip_version == 6
        for _ in range(_TRIED):
            reader.get(IPv4Address(rng.getrandbits(32)))
            if six:
                reader.get(IPv6Address(0x2 << 124 | rng.getrandbits(124)))
