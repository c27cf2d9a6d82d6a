"""``lzc query``: what a client would get, without a server."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from lzc import config as settings
from lzc import foreign_text
from lzc.bundle.unusable import usable
from lzc.cli.faults import tell
from lzc.cli.options import ReadParam, bundle_option, config_option, format_option
from lzc.cli.screen import echo, echo_json
from lzc.config import Config
from lzc.contained import Begin, Contained, Ended, Home, patience
from lzc.faults import InputError, Place
from lzc.lua.engine.geo import GeoFields
from lzc.rehearse.assumed import (
    Address,
    Circumstances,
    Network,
    Target,
    parse_moment,
    parse_place,
    statuses,
)

if TYPE_CHECKING:
    from lzc.cli.query.output import Shown
    from lzc.rehearse.explain import Explanation
    from lzc.rehearse.rehearsal import Answer

_ADDRESS = ReadParam("ip", ipaddress.ip_address)
_NETWORK = ReadParam("net", ipaddress.ip_network)
_TARGET = ReadParam("target", Target.parse)

_Found: TypeAlias = "tuple[Answer, bool, tuple[str, dict[str, Any]] | None]"
"""The answer, whether a zone of the bundle has the name, and the explanation if one is wanted."""
_FAILED: Final = ("SERVFAIL", "REFUSED")
"""RCODEs that are the input's fault: exit code 1."""


@click.command("query")
@click.argument("name", help="The name that is asked for.")
@click.argument("qtype", metavar="[TYPE]", default="A", help="The RR type.  [default: A]")
@config_option
@click.option(
    "--from",
    "client",
    type=_ADDRESS,
    default="127.0.0.1",
    help="The client's address.",
)
@click.option(
    "--local",
    type=_ADDRESS,
    help="The address that it asks: what records find in localwho.  [default: the first of listen"
    " in lzc.toml that is of the client's family]",
)
@click.option("--subnet", type=_NETWORK, help="The client subnet (ECS) it sends.")
@click.option(
    "--down",
    type=_TARGET,
    multiple=True,
    help="IP, IP:PORT or all: health checks of it fail; may be given several times. What is not"
    " named is up.",
)
@click.option(
    "--up",
    type=_TARGET,
    multiple=True,
    help="Health checks of it are fine, as in: --down all --up 192.0.2.1",
)
@click.option(
    "--unknown",
    type=_TARGET,
    multiple=True,
    help="It was not checked yet, as in the first seconds of a server.",
)
@bundle_option
@click.option(
    "--geo",
    "geo_files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A geo database, instead of those of lzc.toml.",
)
@click.option(
    "--place",
    type=ReadParam("place", parse_place),
    help="Where the client is, whatever the databases say: country=DE,lat=52.5,lon=13.4, or any"
    " other of country, continent, region, city, lat with lon, and asn.",
)
@click.option(
    "--time",
    "moment",
    type=ReadParam("time", parse_moment),
    help="The time that code and signatures see: 2026-12-24T18:00 (UTC unless it says +01:00).",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    help="Where random choices start: the same seed, the same choices.  [default: another one"
    " each time]",
)
@click.option("--dnssec", is_flag=True, help="Ask for signatures (the DO bit), made with our keys.")
@click.option("--tcp", is_flag=True, help="Ask over TCP; else only when the answer is truncated.")
@click.option(
    "--explain",
    is_flag=True,
    help="Say why: the names looked up, LUA records with their checks and random choices, the"
    " reason of an empty or failed answer, ECS scope, and signing keys.",
)
@format_option
def command(
    name: str,
    qtype: str,
    config_path: Path,
    client: Address,
    local: Address | None,
    subnet: Network | None,
    down: tuple[Target, ...],
    up: tuple[Target, ...],
    unknown: tuple[Target, ...],
    bundle_path: Path | None,
    geo_files: tuple[Path, ...],
    place: GeoFields | None,
    moment: float | None,
    seed: int | None,
    dnssec: bool,
    tcp: bool,
    explain: bool,
    output_format: str,
) -> None:
    """Ask the live bundle as a client would, without a server.

    The answer is made as the server makes it: LUA records are answered by their plans, or run, as
    for that client. SERVFAIL and REFUSED end with exit code 1, the reason on stderr; every other
    answer is a success.
    """
    from lzc.cli.query import output as query_output
    from lzc.rehearse.explain import explain as ask_and_explain
    from lzc.rehearse.rehearsal import Scene
    from lzc.rehearse.staging import open_bundle, stage

    qname, number = _question(name, qtype)
    try:
        health = statuses(down, up, unknown)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if local is not None and local.version != client.version:
        raise click.UsageError(
            f"a client at {client} cannot ask {local}: --from and --local have to be of one family"
        )
    now = time.time() if moment is None else moment
    circumstances = Circumstances(
        now, client, subnet, health, place, moment is not None, dnssec, tcp, local
    )
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "big")
    config = settings.load(config_path)

    def ask(first: int, begin: Begin, home: Home) -> _Found:
        """In the child, which has the bundle to itself."""
        with open_bundle(config, bundle_path) as bundle:
            staged = stage(config, bundle, geo_files, tell=tell, log=lambda text, _: home(text))
            # Each answer may take its time, however many show what chance can bring.
            staging = replace(staged, begin=partial(begin, 0))
            is_served = bundle.find_zone(qname.lower()) is not None
            if explain:
                found = ask_and_explain(staging, circumstances, qname, number, first)
                if found is not None:
                    return found[0], is_served, _explained(*found)
            else:
                answer = Scene(staging, circumstances).ask(qname, number, first)
                if answer is not None:
                    return answer, is_served, None
            raise click.UsageError("this is no query that a server answers")

    with usable(bundle_path or config.output, config_path, given=bundle_path is not None):
        answer, is_served, explained = _contained(ask, config, seed, name, qtype)
    shown = query_output.read(answer)
    _show(shown, explained, output_format)
    if shown.status in _FAILED:
        if output_format == "text" and shown.status == "REFUSED":
            no_zone = f"{name} is in none of the bundle's zones"
            no_type = f"queries of type {qtype.upper()} are not answered"
            echo(f"lzc: REFUSED: {no_type if is_served else no_zone}", err=True)
        click.get_current_context().exit(1)


def _contained(
    ask: Callable[[int, Begin, Home], _Found], config: Config, seed: int, name: str, qtype: str
) -> _Found:
    """What ``ask`` gives in a process that can be ended. Raises `InputError` where it has to be."""

    def show_log(text: str) -> None:
        echo(f"pdnslog: {foreign_text.shown(text)}", err=True)

    child = Contained(ask, seconds=patience(config.lua.time_limit), memory=config.lua.memory_limit)
    try:
        return child.ask(seed, show_log)
    except Ended as ended:
        raise InputError.at(
            Place(f"{name} {qtype.upper()}"),
            "lua-hangs",
            f"the LUA record's code was run, and had to be ended: {ended.why}",
            "it would stop one process of a server after the other",
            "leave out the call that takes so long",
        ) from None
    finally:
        child.close()


def _question(name: str, qtype: str) -> tuple[bytes, int]:
    """QNAME and QTYPE. Wrong names and types are wrong usage."""
    from lzc.wire import name as wire_name
    from lzc.wire import rrtype

    try:
        qname = wire_name.from_text(name, wire_name.ROOT)
    except wire_name.InvalidName as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    try:
        return qname, rrtype.from_text(qtype)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="TYPE") from error


def _explained(answer: Answer, found: Explanation) -> tuple[str, dict[str, Any]]:
    """The explanation as text and as JSON."""
    from lzc.cli import explanation
    from lzc.cli.query import output as query_output

    shown = query_output.read(answer)
    lines = [explanation.as_text(found, shown)]
    lines += [f";; {line}" for line in shown.scope_and_signatures()]
    lines.append(f";; seed {answer.seed}")
    document = explanation.as_dict(found, shown)
    document |= {"signatures": shown.signatures(), "seed": answer.seed}
    return "\n".join(lines), document


def _show(shown: Shown, explained: tuple[str, dict[str, Any]] | None, output_format: str) -> None:
    if output_format == "json":
        document = shown.as_dict()
        if explained is not None:
            document["explanation"] = explained[1]
        echo_json(document)
        return
    echo(shown.as_text())
    if explained is not None:
        echo(f"\n{explained[0]}")
    for reason in shown.reasons[:1]:
        echo(f"lzc: {shown.status}: {foreign_text.shown(reason)}", err=True)
