"""The rows about LUA records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.bench import codes, harness, inputs, peers, turns
from tests.bench.harness import Figure
from tests.bench.inputs import ZONE
from tests.everywhere import accepting_everywhere

GEO = Path(__file__).parents[2] / "fixtures" / "geo" / "example.mmdb"

_Row = tuple[str, str, str, str]
"""Name of the figure, contestants as in `_contestants`: lzc's and the peer's, and the goal."""

PLAIN: list[_Row] = [
    ("", "lzc", "PowerDNS default", "≥ 25"),
    ("", "lzc", "PowerDNS shared", "≥ 1"),
]
SHARED: list[_Row] = [("shared, ", "lzc shared", "PowerDNS shared", "≥ 1")]
SIGNED = "PowerDNS shared, signed"


@contextlib.contextmanager
def _contestants(
    folder: Path, zone: Path, first: str, modes: Iterable[str], *, default: bool = True
) -> Iterator[dict[str, peers.Running]]:
    """lzc in the modes (``lzc`` is isolated), signing where it is asked to, beside PowerDNS."""
    with contextlib.ExitStack() as stack:
        running = {}
        for mode in modes:
            made = peers.project(
                folder / mode, zone, signed=True, mode=mode, extra=f'[serve]\ngeoip = ["{GEO}"]'
            )
            harness.run(made.lzc("build"))
            name = "lzc shared" if mode == "shared" else "lzc"
            running[name] = stack.enter_context(peers.lzc(made, first))
        key = next((made.folder / "keys").rglob("*.private"))
        start = peers.powerdns
        if default:
            running["PowerDNS default"] = stack.enter_context(
                start(folder / "default", zone, first, lua="yes", geo=GEO)
            )
        running["PowerDNS shared"] = stack.enter_context(
            start(folder / "pdns-shared", zone, first, lua="shared", geo=GEO)
        )
        running[SIGNED] = stack.enter_context(
            start(folder / "pdns-signed", zone, first, lua="shared", key=key, geo=GEO)
        )
        yield running


def _figures(
    row: str,
    running: dict[str, peers.Running],
    queries: Path,
    rows: Iterable[_Row],
    signed_goal: str = "≥ 1",
) -> Iterator[Figure]:
    """Plain answers, then signed ones, each kind in turns."""
    plain = {name: server for name, server in running.items() if name != SIGNED}
    rates = turns.rates(plain, queries)
    for what, ours, peer, goal in rows:
        yield Figure(f"{row}, {what}"[:-2], peer, rates[peer], rates[ours], "q/s", goal)
    signing = {name: server for name, server in running.items() if not name.startswith("PowerDNS")}
    rates = turns.rates({**signing, SIGNED: running[SIGNED]}, queries, dnssec=True)
    for ours in signing:
        what = "shared, " if ours == "lzc shared" else ""
        name = f"{row}, {what}signed"
        yield Figure(name, SIGNED, rates[SIGNED], rates[ours], "q/s", signed_goal)


def _one_code(
    folder: Path,
    row: str,
    code: str,
    modes: Iterable[str],
    rows: Iterable[_Row],
    signed_goal: str = "≥ 1",
) -> Iterator[Figure]:
    zone = folder / "zone"
    inputs.lua_zone(zone, 1000, code)
    names = inputs.hosts(1000, "lua")
    queries = inputs.queries(folder / "queries", names)
    default = any(peer == "PowerDNS default" for _, _, peer, _ in rows)
    with _contestants(folder, zone, names[0], modes, default=default) as running:
        yield from _figures(row, running, queries, rows, signed_goal)


def lua_arbitrary(folder: Path) -> Iterator[Figure]:
    """LUA answers, isolated, code that is more than one API call."""
    yield from _one_code(folder, "LUA, arbitrary code", codes.ARBITRARY, ["isolated"], PLAIN)


def lua_shared(folder: Path) -> Iterator[Figure]:
    """The same code where globals stay, on both sides."""
    yield from _one_code(folder, "LUA, arbitrary code", codes.ARBITRARY, ["shared"], SHARED)


def lua_strings(folder: Path) -> Iterator[Figure]:
    """Code that spends its time in string functions."""
    rows = [*PLAIN, *SHARED]
    modes = ["isolated", "shared"]
    yield from _one_code(folder, "LUA, strings", codes.STRINGS, modes, rows)


def lua_idiom(folder: Path) -> Iterator[Figure]:
    """LUA answers, one API call on constants."""
    yield from _one_code(folder, "LUA, idiom", codes.IDIOM, ["isolated"], PLAIN, "≥ 3")


def lua_codes(folder: Path) -> Iterator[Figure]:
    """Codes as they are in use, one after the other."""
    zone = folder / "zone"
    with accepting_everywhere(128) as port:
        kinds = codes.in_use(port)
        with zone.open("w") as out:
            out.write(inputs.APEX)
            out.writelines(f"*.{kind} 60 IN LUA A {one.strings}\n" for kind, one in kinds.items())
        first = f"{next(kinds['chain'].labels())}.chain.{ZONE}"
        with _contestants(folder, zone, first, ["isolated"]) as running:
            for kind, one in kinds.items():
                asked = [f"{label}.{kind}.{ZONE}" for label in one.labels()]
                queries = inputs.queries(folder / kind, asked)
                yield from _figures(f"LUA, {one.title}", running, queries, PLAIN)
