"""HTTP of a server, which a reload may open, move or close: what is new is bound before anything
else changes, so that an address that cannot be had changes nothing."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lzc.config import Config
from lzc.faults import InputError
from lzc.serve.supervise import http_socket
from lzc.serve.transport.sockets import show_endpoint

if TYPE_CHECKING:
    from lzc.serve.observe.http import HttpServer
    from lzc.serve.supervise.seeing import Overview

log = logging.getLogger("lzc")


@dataclass(frozen=True, slots=True)
class Http:
    """What the settings want: an address, with the socket that listens there unless it is the one
    that does already, and the token that is asked for."""

    address: str | None = None
    listener: socket.socket | None = None
    token: bytes | None = None
    powerdns: bool = False

    def close(self) -> None:
        """Let go of the socket."""
        if self.listener is not None:
            self.listener.close()


class HttpService:
    """Serves what ``overview`` has, as ``wanted`` says, from `start` on; ``made`` makes a server
    for a socket and a token."""

    def __init__(
        self,
        wanted: Http,
        overview: Overview,
        made: Callable[[socket.socket, bytes | None], HttpServer],
    ) -> None:
        self._made = made
        self._now = wanted
        self._next: Http | None = None
        self._overview = overview
        self._server: HttpServer | None = None
        overview.powerdns = wanted.powerdns

    async def start(self) -> None:
        """Begin to serve."""
        listener = self._now.listener
        if listener is None:
            return
        self._server = self._made(listener, self._now.token)
        await self._server.start()
        where = show_endpoint(*listener.getsockname()[:2])
        log.info("http: metrics at http://%s/metrics, the status page at http://%s/", where, where)

    def prepare(self, config: Config) -> None:
        """Read the token of other settings, and bind their address. Raises `InputError`."""
        self.give_up()
        token, address = config.http_token(), config.serve.http
        listener = None
        if address is not None and address != self._now.address:
            try:
                listener = http_socket.bind(address)
            except InputError as error:
                raise self._in_our_way(address, error) from error
        powerdns = config.serve.http_compat == "powerdns"
        self._next = Http(address, listener, token, powerdns)

    def _in_our_way(self, address: str, error: InputError) -> InputError:
        """With a word on the address that is served now, where that has the port."""
        now = self._now.address
        if now is None or now.rpartition(":")[2] != address.rpartition(":")[2]:
            return error
        (fault,) = error.faults
        why = f"lzc itself listens on {now}, and lets go of that only once it has the other"
        fix = "choose another port, or start the server again"
        return InputError.at(address, fault.rule, fault.message, why, fix)

    async def switch(self) -> None:
        """Serve what was prepared."""
        fresh, self._next = self._next, None
        if fresh is None:
            return
        before = self._now
        self._overview.speak(powerdns=fresh.powerdns)
        if fresh.address == before.address:
            self._now = Http(before.address, before.listener, fresh.token, fresh.powerdns)
            if self._server is not None:
                self._server.token = fresh.token
            return
        self._now = fresh
        if self._server is not None:
            self._server.close()
            self._server = None
            log.info("http: nothing is served on %s any more", before.address)
        await self.start()

    def give_up(self) -> None:
        """Forget what was prepared."""
        if self._next is not None:
            self._next.close()
            self._next = None

    async def read_token(self, config: Config) -> str:
        """Take the token that its file has by now; why that cannot be, or nothing."""
        try:
            token = await asyncio.to_thread(config.http_token)
        except InputError as error:
            return str(error)
        now = self._now
        self._now = Http(now.address, now.listener, token, now.powerdns)
        if self._server is not None:
            self._server.token = token
        return ""

    def close(self) -> None:
        """Serve nothing more."""
        self.give_up()
        if self._server is not None:
            self._server.close()
        else:
            self._now.close()

    def close_in_child(self) -> None:
        """Let go of descriptors in a child, of which the parent's loop has to know nothing."""
        if self._next is not None:
            self._next.close()
        if self._server is not None:
            self._server.close_in_child()
        else:
            self._now.close()
