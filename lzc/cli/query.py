"""``lzc query``: what a client would get, without a server."""

from __future__ import annotations

import ipaddress
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from lzc import config as settings
from lzc.cli.options import config_option, format_option
from lzc.config import Config
from lzc.zone.place import Fault, InputError, Place

if TYPE_CHECKING:
    from lzc.answer.responder import Responder
    from lzc.bundle.reader import Bundle
    from lzc.lua.engine import Engine
    from lzc.lua.geo import Geo
    from lzc.lua.health import Check

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FAILED: Final = ("SERVFAIL", "REFUSED")
"""RCODEs that are the input's fault: exit code 1."""


class AddressParam(click.ParamType[Address]):
    """An IPv4 or IPv6 address."""

    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        """Read the address; a wrong one is wrong usage."""
        try:
            return ipaddress.ip_address(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class NetworkParam(click.ParamType[Network]):
    """A network such as 192.0.2.0/24; an address alone is a network of one."""

    name = "network"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Network:
        """Read the network; bits beyond the prefix are wrong usage."""
        try:
            return ipaddress.ip_network(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class DownParam(click.ParamType[tuple[Address, int]]):
    """``IP`` or ``IP:PORT`` (``[IP]:PORT`` for IPv6); port 0 stands for all."""

    name = "down"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Address, int]:
        """Read the target; a wrong one is wrong usage."""
        text = str(value)
        try:
            return ipaddress.ip_address(text), 0
        except ValueError:
            pass
        try:
            host, port = settings.parse_endpoint(text)
        except ValueError:
            self.fail(f"{text} is neither an address nor ADDRESS:PORT", param, ctx)
        return ipaddress.ip_address(host), port


class AssumedHealth:
    """All checks are up, except those of the targets that are said to be down."""

    def __init__(self, down: tuple[tuple[Address, int], ...]) -> None:
        self._down = down

    def status(self, check: Check) -> bool:
        """Never unknown. The port of a URL without one is that of its scheme."""
        address = ipaddress.ip_address(check.address)
        port = check.port
        if check.url:
            url = urlsplit(check.url)
            port = url.port or (443 if url.scheme == "https" else 80)
        return not any(address == target and at in (0, port) for target, at in self._down)

    def generation(self) -> int:
        """Nothing changes while one query runs."""
        return 0


@click.command("query")
@click.argument("name")
@click.argument("qtype", metavar="[TYPE]", default="A")
@config_option
@click.option(
    "--from",
    "client",
    type=AddressParam(),
    default="127.0.0.1",
    show_default=True,
    metavar="IP",
    help="The client's address.",
)
@click.option(
    "--subnet", type=NetworkParam(), metavar="NET", help="The client subnet (ECS) it sends along."
)
@click.option(
    "--down",
    type=DownParam(),
    multiple=True,
    metavar="IP[:PORT]",
    help="A target whose health checks fail; may be given several times. All others are up.",
)
@click.option("--dnssec", is_flag=True, help="Ask for signatures (the DO bit), made with our keys.")
@click.option("--tcp", is_flag=True, help="Ask over TCP; else only when the answer is truncated.")
@format_option
def command(
    name: str,
    qtype: str,
    config_path: Path,
    client: Address,
    subnet: Network | None,
    down: tuple[tuple[Address, int], ...],
    dnssec: bool,
    tcp: bool,
    output_format: str,
) -> None:
    """Ask the live bundle as a client would, without a server.

    LUA records run as they would for that client. SERVFAIL and REFUSED end with exit code 1, the
    reason on stderr; every other answer is a success.
    """
    from lzc.bundle import current
    from lzc.bundle.reader import BundleError
    from lzc.cli import query_output

    wire = _query_message(name, qtype, subnet, dnssec)
    config = settings.load(config_path)
    reasons: list[str] = []
    try:
        with current.open_live(config.output) as bundle:
            responder = _responder(config, bundle, down, dnssec, reasons)
            now = time.time()
            response = responder.respond(wire, client.packed, now, tcp=tcp)
            if response is not None and response.wire[2] & 2 and not tcp:
                tcp = True
                response = responder.respond(wire, client.packed, now, tcp=True)
    except BundleError as error:
        raise InputError(
            [Fault(Place(str(config.output)), "bundle-unusable", str(error))]
        ) from error
    if response is None:
        raise click.UsageError("this is no query that a server answers")
    shown = query_output.read(response.wire, tcp=tcp, reasons=reasons)
    if output_format == "json":
        click.echo(json.dumps(shown.as_dict(), indent=2))
    else:
        click.echo(shown.as_text())
        for reason in reasons[:1]:
            click.echo(f"lzc: {shown.status}: {reason}", err=True)
    if shown.status in _FAILED:
        if shown.status == "REFUSED" and output_format == "text":
            click.echo(f"lzc: REFUSED: {name} is in none of the bundle's zones", err=True)
        click.get_current_context().exit(1)


def _query_message(name: str, qtype: str, subnet: Network | None, dnssec: bool) -> bytes:
    """The octets that the client sends. Wrong names and types are wrong usage."""
    from lzc.wire import edns, rrtype
    from lzc.wire import name as wire_name

    try:
        qname = wire_name.from_text(name, wire_name.ROOT)
    except wire_name.InvalidName as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    try:
        number = rrtype.from_text(qtype)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="TYPE") from error
    options = []
    if subnet is not None:
        family = 1 if subnet.version == 4 else 2
        sent = edns.ClientSubnet(family, subnet.prefixlen, 0, subnet.network_address.packed)
        options.append(sent.to_option(0))
    return b"".join(
        (
            bytes.fromhex("000000000001000000000001"),
            qname,
            number.to_bytes(2, "big"),
            b"\x00\x01",
            edns.build(1232, flags=edns.DO if dnssec else 0, options=options),
        )
    )


def _responder(
    config: Config,
    bundle: Bundle,
    down: tuple[tuple[Address, int], ...],
    dnssec: bool,
    reasons: list[str],
) -> Responder:
    """The responder that the server would have; why an answer fails is appended to ``reasons``."""
    from lzc.answer.responder import Responder
    from lzc.answer.settings import ResponderSettings
    from lzc.dnssec.keystore import Keystore
    from lzc.dnssec.signer import SignatureCache, ZoneSigner
    from lzc.serve.keyring import Signers

    signers: dict[bytes, ZoneSigner] | Signers = {}
    if dnssec:
        signers = Signers(bundle, Keystore(config.keystore), SignatureCache())
    engine = None
    if config.lua.enable or any(section.lua for section in config.zone.values()):
        engine = _engine(config, down)
    return Responder(
        bundle,
        ResponderSettings.from_config(config),
        signers,
        engine,
        lambda _, error: reasons.append(str(error)),
    )


def _engine(config: Config, down: tuple[tuple[Address, int], ...]) -> Engine:
    from lzc.lua.engine import Engine, EngineSettings

    return Engine(
        EngineSettings(
            mode=config.lua.mode,
            exec_limit=config.lua.exec_limit,
            memory_limit=config.lua.memory_limit,
        ),
        _geo(config),
        AssumedHealth(down),
        int.from_bytes(os.urandom(4), "big"),
        lambda text, _: click.echo(f"pdnslog: {text}", err=True),
    )


def _geo(config: Config) -> Geo | None:
    """The geo databases of the configuration. Raises `InputError` for those that are unusable."""
    if not config.serve.geoip:
        return None
    import maxminddb

    from lzc.lua.geo import Geo

    readers = []
    faults = []
    for name in config.serve.geoip:
        path = config.path(name)
        try:
            readers.append(maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT))
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            fix = "correct geoip in [serve] of lzc.toml"
            faults.append(Fault(Place(str(path)), "geo-database", f"unreadable: {error}", fix=fix))
    if faults:
        raise InputError(faults)
    return Geo(readers)
