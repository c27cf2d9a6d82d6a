"""The console script, and `python -m lzc`.

It imports nothing at first: Ctrl-C while the rest is imported ends it as Ctrl-C later does.
"""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run a command and exit: with 130 after Ctrl-C, otherwise as `lzc.cli` says."""
    code: str | int | None = 130
    try:
        from lzc.cli import main as run

        run()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        pass
    finally:
        # Whatever was to be tidied up is: from here on Ctrl-C has nothing to interrupt.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


if __name__ == "__main__":
    main()
