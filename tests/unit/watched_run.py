"""Runs a command of lzc where every packet that leaves loopback is seen: in a network namespace
whose other device leads nowhere. Prints what was sent there over TCP and UDP.

    unshare --net python watched_run.py [--until SOCKET] ARGUMENT...

The command ends by itself, and has to exit with 0; a server runs until its control socket says
that all its health checks have a result.
"""

from __future__ import annotations

import ipaddress
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from lzc.faults import InputError
from lzc.serve.supervise import control
from tests.patience import SOON

DEVICE = "away0"
SETUP = (
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
TRANSPORTS = {6: "TCP", 17: "UDP"}
ALL_PROTOCOLS = 3


def told(packet: bytes) -> str | None:
    """Transport, address and port of a packet of IP; nothing for what the kernel sends of itself,
    such as router solicitations."""
    version = packet[0] >> 4
    if version == 4:
        transport, target, rest = packet[9], packet[16:20], packet[(packet[0] & 15) * 4 :]
    elif version == 6:
        transport, target, rest = packet[6], packet[24:40], packet[40:]
    else:
        return None
    if transport not in TRANSPORTS:
        return None
    (port,) = struct.unpack_from("!H", rest, 2)
    return f"{TRANSPORTS[transport]} {ipaddress.ip_address(target)}:{port}"


def watch(sock: socket.socket, sent: dict[str, None]) -> None:
    """Note what is sent until the socket is closed."""
    while True:
        try:
            frame = sock.recv(65536)
        except OSError:
            return
        if not frame:
            return
        line = told(frame)
        if line is not None:
            sent[line] = None


def checked(path: str) -> bool:
    """Whether a server has run all of its checks."""
    try:
        checks = control.ask(Path(path), "health").get("checks", ())
    except (InputError, OSError):
        return False
    return bool(checks) and all(check["runs"] for check in checks)


def main() -> int:
    path, *arguments = sys.argv[2:] if sys.argv[1] == "--until" else ["", *sys.argv[1:]]
    for words in SETUP:
        subprocess.run(["ip", *words.split()], check=True)
    # Without the head of the link.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS))
    sock.bind((DEVICE, ALL_PROTOCOLS))
    sent: dict[str, None] = {}
    thread = threading.Thread(target=watch, args=(sock, sent), daemon=True)
    thread.start()
    command = [sys.executable, "-m", "lzc", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while path and not checked(path) and process.poll() is None:
            time.sleep(SOON)
        if path:
            process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
        wanted = process.returncode == 0
    sys.stdout.writelines(f"{line}\n" for line in sent)
    sys.stderr.write(errors.decode(errors="replace"))
    return 0 if wanted else 1


if __name__ == "__main__":
    sys.exit(main())
