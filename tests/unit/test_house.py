"""The layout of `lzc/`: imports point down, and the core is told what only a shell can find out."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOORS = (
    {"__main__"},
    {"cli"},
    {"secondary"},
    {"rehearse"},
    {"compiler", "serve"},
    {"forms"},
    {"compare"},
    {"answer"},
    {"image"},
    {"bundle"},
    {"source"},
    {"lua"},
    {"dnssec"},
    {"zone"},
    {"config"},
    {"wire"},
    {"health_check"},
    {"faults"},
    {"contained"},
    {"manual"},
    {
        *("foreign_text", "foreign_json", "file_owner", "powerdns_versions", "private_folder"),
        "shipped_files",
    },
)
"""From the top down. Rooms of one floor do not import each other."""

GROUPS = {
    "compiler": (
        {"serial_plan"},
        {"pipeline", "rollback"},
        {"foreseen_deltas"},
        {"project", "deltas"},
        {"workers"},
        {"zone_job", "catalogs"},
        {"serials"},
        {"incremental"},
        {"job"},
        {"lua"},
        {"checks"},
        {"inputs"},
    ),
    "serve": (
        {"supervise"},
        {"worker"},
        {"notify", "health"},
        {"transport"},
        {"observe"},
        {"ipc"},
    ),
    "dnssec": (
        {"keystore", "signing", "validation"},
        {"sync_records"},
        {"ds"},
        {"key"},
        {"token"},
        {"algorithms", "life"},
    ),
    "lua": (
        {"lint", "recognition"},
        {"functions"},
        {"definition"},
        {"plan"},
        {"engine", "program"},
        {"transfer"},
        {"syntax"},
        {"address", "health"},
    ),
}
"""The same within rooms: folders, and modules that lie beside them."""

LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
CORE = ("answer", "wire", "lua", "dnssec", "zone")

CLOCKS = frozenset(
    {
        *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns"),
        *("time.perf_counter", "time.sleep", "time.localtime", "datetime.now", "datetime.utcnow"),
        *("date.today", "datetime.today", "os.urandom"),
    }
)
SHELL_MODULES = frozenset(
    {"asyncio", "random", "select", "selectors", "ssl", "subprocess", "threading", "aiohttp"}
)
"""Modules that talk to the world, or draw from chance."""

TEXT_OF_ADDRESSES = frozenset({"AF_INET", "AF_INET6", "inet_aton", "inet_ntop", "inet_pton"})


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of lzc by its dotted name."""
    found = {}
    for file in sorted((ROOT / "lzc").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(file.read_text(), str(file))
    return found


def imports(tree: ast.Module) -> Iterator[str]:
    """All that a module imports, wherever that stands, for types alone too: a module, or a name
    in one (``socket.inet_pton``)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(name: str) -> set[str]:
    """The modules of lzc that one imports."""
    found = set()
    for target in imports(modules()[name]):
        if target not in modules():
            target = target.rpartition(".")[0]
        if target in modules():
            found.add(target)
    return found


def room(name: str) -> str:
    """The folder below ``lzc`` a module is in, or the module itself."""
    return [*name.split("."), ""][1]


def group(name: str) -> str:
    """The part of its room that a module is in."""
    return [*name.split("."), "", ""][2]


def test_every_room_has_a_floor() -> None:
    assert {room(name) for name in modules()} - {""} == set(LEVEL)


@pytest.mark.parametrize("place", GROUPS)
def test_every_group_has_a_floor(place: str) -> None:
    found = {group(name) for name in modules() if room(name) == place} - {""}
    assert found == set().union(*GROUPS[place])


@pytest.mark.parametrize("name", [name for name in modules() if room(name) in GROUPS])
def test_imports_between_groups_point_down(name: str) -> None:
    floors = GROUPS[room(name)]
    level = {part: number for number, parts in enumerate(floors) for part in parts}
    here = group(name)
    for target in own_imports(name):
        there = group(target)
        if room(target) == room(name) and here != there:
            assert here and there, f"{target}: packages hold nothing but their groups"
            assert level[here] < level[there], target


@pytest.mark.parametrize("name", [name for name in modules() if name != "lzc"])
def test_imports_point_down(name: str) -> None:
    here = room(name)
    for target in own_imports(name) - {"lzc"}:
        there = room(target)
        assert here == there or LEVEL[here] < LEVEL[there], target


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: own_imports(name) for name in modules()}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(graph)


@pytest.mark.parametrize("name", [name for name in modules() if room(name) in CORE])
def test_the_core_touches_no_socket_clock_or_chance(name: str) -> None:
    tree = modules()[name]
    for target in imports(tree):
        top, _, rest = target.partition(".")
        assert top not in SHELL_MODULES, target
        assert top != "socket" or rest in TEXT_OF_ADDRESSES, target
    called = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    # The keystore is files: it compares their age with the clock before it trusts what it has read.
    allowed = {"time.time_ns"} if name == "lzc.dnssec.keystore.keystore" else set()
    assert called & CLOCKS == allowed


@pytest.mark.parametrize("name", [name for name in modules() if room(name) != "serve"])
def test_event_loops_are_the_servers_own(name: str) -> None:
    assert not {target.partition(".")[0] for target in imports(modules()[name])} & {"asyncio"}


SCREEN = "lzc.cli.screen"
"""The one module that prints: what others wrote does not act on a terminal then."""
PRINTING = frozenset(
    {
        *("print", "click.echo", "click.secho", "click.echo_via_pager", "traceback.print_exc"),
        *(
            "sys.stdout.write",
            "sys.stderr.write",
            "sys.stdout.buffer.write",
            "sys.stderr.writelines",
        ),
    }
)


def calls(name: str) -> set[str]:
    """What a module calls, as it is written."""
    nodes = ast.walk(modules()[name])
    return {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}


@pytest.mark.parametrize("name", [name for name in modules() if name != SCREEN])
def test_nothing_is_printed_but_by_way_of_the_screen(name: str) -> None:
    assert not calls(name) & PRINTING


@pytest.mark.parametrize(
    "name", [name for name in modules() if name != "lzc.serve.observe.log_output"]
)
def test_logs_go_through_the_net(name: str) -> None:
    assert not [one for one in calls(name) if "basicConfig" in one or "Handler" in one]


def test_rich_draws_progress_and_the_manual_and_nothing_else() -> None:
    users = {
        name for name in modules() if any(one[:5] == "rich." for one in imports(modules()[name]))
    }
    assert users == {"lzc.cli.progress", "lzc.cli.help"}


@pytest.mark.parametrize("name", [name for name in modules() if name != "lzc.foreign_json"])
def test_json_is_read_where_whatever_it_holds_ends_in_a_value_or_a_value_error(name: str) -> None:
    assert not calls(name) & {"json.load", "json.loads", "json.JSONDecoder", "tomllib.load"}
