"""Every octet of every file of a small output folder is flipped, and built over, with one zone
changed and with none: the build works, and each serial rises, or stays with its content.

    python -m tests.soak damage [EVERY]

tries one octet in EVERY (all, unless given) of each file; the files of LMDB are mostly zeros, of
which one in 16 is tried.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from tests.unit.damaging import Damaged

_SPARSE = 16


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when nothing was lost."""
    every = int(arguments[0]) if arguments else 1
    tried = failed = 0
    with patch.object(os, "fsync"), tempfile.TemporaryDirectory() as name:
        damaged = Damaged(Path(name))
        damaged.keep()
        for file, octets in damaged.places():
            step = every * (_SPARSE if file.endswith(".lmdb") else 1)
            for position in range(0, octets, step):
                tried += 1
                try:
                    damaged.try_it(file, position)
                except Exception as error:  # all of them are to be known
                    failed += 1
                    print(f"{file}, octet {position}: {error!r}", file=sys.stderr)
            print(f"{file}: one in {step} of {octets} octets", flush=True)
    print(f"{tried} octets flipped, {failed} builds failed or lost a serial")
    return 1 if failed else 0
