"""Which address NOTIFY leaves from: the one that secondaries know as the primary's."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence

from lzc.config import parse_endpoint
from lzc.serve.transport.sockets import is_own


def notify_source(
    target: str,
    sources: Sequence[str],
    listen: Sequence[str],
    own: Callable[[str], bool] = is_own,
) -> str:
    """The address to send to ``target`` from; empty where the kernel is to choose.

    An address of the same family in ``sources`` (``notify-source``) counts first, then the first of
    the ``listen`` endpoints that can reach the target: a secondary transfers from there. Wildcards
    say nothing, and from loopback only this machine is reached.
    """
    to = ipaddress.ip_address(target)
    for text in sources:
        if ipaddress.ip_address(text).version == to.version:
            return text
    hosts = [ipaddress.ip_address(parse_endpoint(one)[0]) for one in listen]
    hosts = [one for one in hosts if one.version == to.version]
    if any(one.is_unspecified for one in hosts):
        return ""
    for one in hosts:
        if one.is_loopback == to.is_loopback:
            return str(one)
    if not hosts or not (to.is_loopback or own(target)):
        return ""
    return str(hosts[0])


def leaves_from(target: str) -> str:
    """The address that the kernel chooses towards a target; empty where it has no way there.
    Nothing is sent."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((target, 53))
            return str(sock.getsockname()[0])
    except OSError:
        return ""
