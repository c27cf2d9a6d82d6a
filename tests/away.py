"""A network whose every way out of loopback leads to one device, and what is sent there.

A command gets a network of its own with ``own_network()`` in front; in it, `Watch` makes the device
and sees each packet. Whatever goes to it goes nowhere else: the network ends there.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Final, Self

from tests.patience import PATIENCE, SOON

DEVICE: Final = "away0"
SETUP: Final = (
    "link set lo up",
    f"link add {DEVICE} type veth peer name away1",
    f"link set {DEVICE} arp off",
    "link set away1 up",
    f"addr add 192.168.77.1/24 dev {DEVICE}",
    f"-6 addr add 2001:db8:77::1/64 dev {DEVICE} nodad",
    f"link set {DEVICE} up",
    f"route add default dev {DEVICE}",
    f"-6 route add default dev {DEVICE}",
)
PROBES: Final = {"UDP 192.0.2.1:9": ("192.0.2.1", 9), "UDP [2001:db8::1]:9": ("2001:db8::1", 9)}
"""What is sent before all else, to see that it is seen: to the port named discard."""

NAMES: Final = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}
WITH_PORTS: Final = frozenset({6, 17})
HOP_BY_HOP: Final = 0
ICMPV6: Final = 58
OWN_OF_KERNEL: Final = frozenset({130, 131, 132, 133, 135, 136, 143})
"""Types of ICMPv6: a kernel looks for routers and neighbours, and tells its multicast groups
(RFC 4861, RFC 2710, RFC 3810), whatever programs do."""

NOT_ALLOWED: Final = "there is no unshare or no ip, or this machine allows no network namespaces"

ALL_PROTOCOLS: Final = 3
SO_TIMESTAMPNS: Final = 35
"""Of Linux, where the kernel says when it saw a packet."""


def own_network() -> list[str] | None:
    """What to put in front of a command that gets a network of its own, and may change it; nothing
    where this machine allows none."""
    unshare = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return None
    allowed = subprocess.run([*unshare, "true"], capture_output=True).returncode == 0
    return unshare if allowed else None


def told(packet: bytes) -> str | None:
    """Transport, address and port of a packet of IP; nothing for what the kernel sends of
    itself."""
    version = packet[0] >> 4
    if version == 4:
        transport, target, rest = packet[9], packet[16:20], packet[(packet[0] & 15) * 4 :]
    elif version == 6:
        transport, target, rest = packet[6], packet[24:40], packet[40:]
    else:
        return f"a packet that is not of IP: {packet[:20].hex()}"
    if version == 6 and transport == HOP_BY_HOP:
        transport, rest = rest[0], rest[(rest[1] + 1) * 8 :]
    if transport == ICMPV6 and rest[0] in OWN_OF_KERNEL:
        return None
    name = NAMES.get(transport, f"protocol {transport} of IP")
    address = ipaddress.ip_address(target)
    if transport not in WITH_PORTS:
        return f"{name} {address}"
    (port,) = struct.unpack_from("!H", rest, 2)
    return f"{name} [{address}]:{port}" if version == 6 else f"{name} {address}:{port}"


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that left: what it was, and when, in nanoseconds since 1970."""

    what: str
    when: int


class Watch:
    """Sees what is sent to anywhere but loopback, from entering it to leaving it. To be entered
    once, in a network of its own. Raises `RuntimeError` where it does not see its own packets."""

    def __init__(self) -> None:
        self._sent: list[Sent] = []
        self._ended = threading.Event()
        self._fault: Exception | None = None

    def __enter__(self) -> Self:
        for words in SETUP:
            subprocess.run(["ip", *words.split()], check=True)
        # Without the head of the link.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.settimeout(SOON)
        self._socket.bind((DEVICE, ALL_PROTOCOLS))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self._see_own()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def sent(self) -> list[Sent]:
        """What was sent until the watch was left. Raises what kept it from seeing more."""
        if self._fault is not None:
            raise self._fault
        return self._sent

    def _see_own(self) -> None:
        for address, port in PROBES.values():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"", (address, port))
        end = time.monotonic() + PATIENCE
        while {one.what for one in self._sent} != set(PROBES):
            if self._fault is not None or time.monotonic() > end:
                raise RuntimeError(f"of {[*PROBES]} only {self._sent} was seen") from self._fault
            time.sleep(SOON)
        self._sent.clear()

    def _read(self) -> None:
        try:
            while self._read_one():
                pass
        except Exception as fault:
            self._fault = fault

    def _read_one(self) -> bool:
        """Whether there may be more: until the end was told, and nothing is left."""
        try:
            packet, notes, _, _ = self._socket.recvmsg(65536, 64)
        except TimeoutError:
            return not self._ended.is_set()
        what = told(packet)
        if what is not None:
            ((_, _, stamp),) = notes
            seconds, nanoseconds = struct.unpack("@qq", stamp)
            self._sent.append(Sent(what, seconds * 1_000_000_000 + nanoseconds))
        return True
