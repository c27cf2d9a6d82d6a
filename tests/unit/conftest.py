"""What of the tests coverage counts, where it does: what is entered in this process, and in the
servers that `tests.unit.forked` starts, with all their processes.

Other children are not measured. Tests fork thousands of them, and each would write down what all
the tests before it had entered.
"""

from __future__ import annotations

import os
import posix
import sys
import threading

from coverage import Coverage


def not_measured() -> None:
    """In a child that was forked: go on as if nothing had been measured."""
    sys.settrace(None)
    threading.settrace(None)
    # Coverage has it write down what was entered.
    os._exit = posix._exit


if Coverage.current() is not None:
    os.register_at_fork(after_in_child=not_measured)
