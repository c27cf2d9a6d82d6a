"""What takes connections at every address of loopback, as targets of health checks do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def accepting_everywhere(backlog: int) -> Iterator[int]:
    """A TCP port that takes connections, and closes them at once, while the block runs; ``backlog``
    of them may wait."""
    with socket.create_server(("", 0), backlog=backlog) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            # Closing it would leave the thread waiting.
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
