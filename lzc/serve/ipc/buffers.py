"""Buffers of sockets, as large as they have to be."""

from __future__ import annotations

import socket


def enlarge(made: socket.socket, option: int, octets: int) -> None:
    """Ask for a larger buffer: ``option`` is SO_RCVBUF or SO_SNDBUF."""
    # The FORCE options (33 and 32) pass net.core.*mem_max, for those who may.
    force = 33 if option == socket.SO_RCVBUF else 32
    try:
        made.setsockopt(socket.SOL_SOCKET, force, octets)
    except PermissionError:
        made.setsockopt(socket.SOL_SOCKET, option, octets)
