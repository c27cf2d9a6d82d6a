"""Taking the sockets of one worker out of those that share an address, without losing what comes.

The kernel deals queries out among all sockets of an address (SO_REUSEPORT). One that is closed
takes with it what waits in it, so nothing new may come to it first.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Final

from lzc.serve.transport.sockets import Listener, TlsListener

LINGER: Final = 0.5
"""Seconds that a listener needs to complete the handshakes that were under way. A client whose SYN
it did not take sends that again a second after the first (RFC 6298 §2), to others then."""

_SO_ATTACH_FILTER: Final = 26
# Classic BPF (code, jump if true, jump if false, operand) on a TCP header: SYN without ACK is
# dropped, all else passes.
_NO_NEW: Final = (
    (0x30, 0, 0, 13),  # load the octet of flags
    (0x54, 0, 0, 0x12),  # ACK and SYN of it
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def withdraw(listener: Listener | TlsListener) -> None:
    """Have other sockets of the address get what comes from now on; what is in these is read, and
    what connects completes, as before. The sockets are to be closed `LINGER` seconds later. Raises
    `OSError`, or does nothing where no other has the address."""
    if isinstance(listener, Listener):
        # The kernel passes over connected sockets when it deals out what strangers send, and none
        # of our clients has our own address and port.
        listener.udp.connect(listener.udp.getsockname())
    code = b"".join(struct.pack("HBBI", *one) for one in _NO_NEW)
    octets = ctypes.create_string_buffer(code)
    # struct sock_fprog of linux/filter.h
    program = struct.pack("HP", len(_NO_NEW), ctypes.addressof(octets))
    listener.tcp.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
