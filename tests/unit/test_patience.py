"""No test depends on how fast its machine is: the limits of time in tests are one, and long."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(file for room in ("unit", "peers") for file in (ROOT / "tests" / room).rglob("*.py"))

SHORT_LOOK = 0.05
"""Seconds that a loop may pause before it looks again whether something has come."""

LONG = 30.0
"""Seconds that are patience enough."""

WAITS = frozenset({"timeout", "settimeout", "wait", "wait_for", "join", "recv"})
"""Calls whose number is a limit of time."""

SETTINGS_OF_CHECKS = frozenset({"Check", "Probe", "TcpProbe"})
"""Of these, ``timeout`` is a property that records have, in seconds."""

ALLOWED = {
    # An answer to one of many questions in flight that does not come is asked for again.
    ("peers/_peers/unbound.py", "settimeout"): 0.2,
    ("peers/_peers/process.py", "timeout"): 1,
    # What a server has still to say when its client is gone, and which nobody takes.
    ("peers/_peers/relay.py", "timeout"): 1.0,
    # A resolver that begins drops what it is asked too early, and is asked again.
    ("peers/test_export_fronts.py", "timeout"): 1,
    # A kind word before the other.
    ("peers/_peers/fetch.py", "wait"): 10,
    # CPU time that the work of a test takes all of, or next to nothing of.
    ("unit/test_contained.py", "seconds"): 0.2,
    ("unit/compiler/test_hangs.py", "seconds"): 0.2,
    ("unit/test_contained.py", "sleep"): 0.5,
    # Nothing more comes: on a slow machine that may be seen too early, but not seen wrongly.
    ("unit/serve/test_crashing_bundle.py", "sleep"): 1.2,
    # A sender whose buffers are full gives up, however early, and others are answered.
    ("unit/serve/test_answers.py", "settimeout"): 0.2,
}
"""What may be shorter, as nothing is concluded from it but that it is to be tried again."""

CLOCKS = frozenset({"process_time", "perf_counter", "thread_time"})
MAY_MEASURE = {
    # 200 times what the limits allow.
    "unit/lua/test_redteam.py",
    # Against the same work on less, on the same machine.
    "unit/source/test_limits.py",
    # CPU time of one thread, beside what was taken off of the same.
    "unit/lua/test_redteam_memory.py",
}


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def number(node: ast.expr | None) -> float | None:
    found = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def limits(tree: ast.Module) -> Iterator[tuple[str, float, int]]:
    """What is waited for no longer than a number says: the call or its parameter, seconds, line."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        if name in SETTINGS_OF_CHECKS:
            continue
        first = number(node.args[0]) if node.args else None
        if name in WAITS - {"recv"} and first is not None:
            yield name, first, node.lineno
        for keyword in node.keywords:
            value = number(keyword.value)
            if keyword.arg in ("timeout", "seconds", "deadline") and value:
                yield keyword.arg, value, node.lineno


def pauses(tree: ast.Module) -> Iterator[tuple[float, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) == "sleep" and node.args:
            seconds = number(node.args[0])
            if seconds is not None:
                yield seconds, node.lineno


def faults(file: str, tree: ast.Module) -> list[str]:
    found = [
        f"{file}:{line}: {name} of {seconds} s: say PATIENCE"
        for name, seconds, line in limits(tree)
        if seconds < LONG and ALLOWED.get((file, name)) != seconds
    ]
    found += [
        f"{file}:{line}: a pause of {seconds} s: wait for what comes later"
        for seconds, line in pauses(tree)
        if seconds > SHORT_LOOK and ALLOWED.get((file, "sleep")) != seconds
    ]
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    if names & CLOCKS and file not in MAY_MEASURE:
        found.append(f"{file}: a clock that measures work")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_what_is_waited_for_may_take_its_time(path: Path) -> None:
    file = str(path.relative_to(ROOT / "tests"))
    assert faults(file, ast.parse(path.read_text())) == []


def test_what_is_impatient_is_found() -> None:
    text = """
async def test():
    sock.settimeout(2)
    dns.query.udp(query, address, timeout=5)
    async with asyncio.timeout(10): pass
    await asyncio.sleep(0.3)
    time.sleep(1)
    server.control("force", seconds=1.5)
    began = time.process_time()
    Check(LOCAL, port, timeout=1)
    time.sleep(0.02)
    sock.settimeout(PATIENCE)
"""
    assert len(faults("unit/test_x.py", ast.parse(text))) == 7
