"""Take a zone by AXFR over TSIG; print the seconds, and the octets with the lengths of messages.
Checks the framing, not the records.

python -m tests.bench.drain PORT ZONE [--tls]
"""

from __future__ import annotations

import socket
import ssl
import sys
import time

import dns.message
import dns.name
import dns.tsig
import dns.tsigkeyring

from tests.bench.peers import TSIG_NAME, TSIG_SECRET


def request(zone: str) -> bytes:
    """The signed request for a zone, with its length in front."""
    query = dns.message.make_query(zone, "AXFR")
    query.use_tsig(
        dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET}), algorithm=dns.tsig.HMAC_SHA256
    )
    wire = query.to_wire()
    return len(wire).to_bytes(2, "big") + wire


def drain(port: int, zone: str, *, tls: bool = False) -> tuple[float, int]:
    """Seconds from the request to the message that ends the transfer with the SOA, and octets."""
    soa = b"\x00\x06\x00\x01"
    wire = request(zone)
    started = time.monotonic()
    with _connected(port, tls) as tcp:
        tcp.sendall(wire)
        buffer = bytearray()
        messages = octets = apexes = 0
        while apexes < 2:
            chunk = tcp.recv(1 << 20)
            if not chunk:
                raise SystemExit(f"the connection ended after {messages} messages")
            buffer += chunk
            octets += len(chunk)
            start = 0
            while len(buffer) - start >= 2:
                size = int.from_bytes(buffer[start : start + 2], "big")
                if len(buffer) - start - 2 < size:
                    break
                message = bytes(buffer[start + 2 : start + 2 + size])
                if message[3] & 15:
                    raise SystemExit(f"rcode {message[3] & 15}")
                messages += 1
                apexes += message.count(soa)
                start += 2 + size
            del buffer[:start]
    return time.monotonic() - started, octets


def _connected(port: int, tls: bool) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port))
    if not tls:
        return plain
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


if __name__ == "__main__":
    print(*drain(int(sys.argv[1]), sys.argv[2], tls="--tls" in sys.argv))
