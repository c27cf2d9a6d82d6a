"""The socket of ``[serve] http``, bound before the first worker starts, or before a reload changes
anything, so that an address that cannot be had keeps the server from starting, or as it was."""

from __future__ import annotations

import errno
import socket
import time
from typing import Final

from lzc.config import parse_endpoint
from lzc.faults import InputError

_PAUSE: Final = 0.05


def bind(endpoint: str, patience: float = 0.0) -> socket.socket:
    """A TCP socket that listens. Raises `InputError` where the address cannot be had
    within ``patience`` seconds."""
    host, port = parse_endpoint(endpoint)
    end = time.monotonic() + patience
    while True:
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if made.family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.setblocking(False)
            made.bind((host, port))
            # Two that do not listen may both be bound to it.
            made.listen()
        except OSError as error:
            made.close()
            if time.monotonic() < end:
                time.sleep(_PAUSE)
                continue
            fix = "stop who has it, or choose another address in http of [serve]"
            why = ""
            if error.errno in (errno.EACCES, errno.EPERM):
                why = "ports below 1024 are for root, or with CAP_NET_BIND_SERVICE"
                fix = "choose another port in http of [serve], or give the server that capability"
            raise InputError.at(
                endpoint,
                "http-address",
                f"http cannot listen on {endpoint}: {error.strerror}",
                why,
                fix,
            ) from error
        return made
