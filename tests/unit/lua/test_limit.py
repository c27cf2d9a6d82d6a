"""The instruction budget: exactly what a record spends itself, whichever way it is found out."""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal

import pytest

from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import EngineSettings, LuaFailure, QueryContext
from tests.unit.lua_running import Health, Places, query

ITEMS = ",".join(f"'192.0.2.{i}'" for i in range(1, 41))
WEIGHTED = ",".join(f"{{{i},'192.0.2.{i}'}}" for i in range(1, 41))
MASKS = ",".join(f"'10.{i}.0.0/16'" for i in range(40))
MASKS6 = ",".join(f"'2001:db8:{i}::/48'" for i in range(40))

# Functions that walk what a record gives them, and say what that took.
CALLS = {
    "pickrandom": f"pickrandom({{{ITEMS}}})",
    "all": f"all({{{ITEMS}}})",
    "pickhashed": f"pickhashed({{{ITEMS}}})",
    "pickwhashed": f"pickwhashed({{{WEIGHTED}}})",
    "pickclosest": f"pickclosest({{{ITEMS}}})",
    "closestMagic": "closestMagic()",
    "netmask": f"netmask({{{MASKS}}})",
    "netmask of the other family": f"netmask({{{MASKS6}}})",
    "netmask with an error at its end": f"pcall(netmask, {{{MASKS},'none'}})",
    "view": f"view({{{{{{{MASKS}}},{{'192.0.2.1'}}}}}})",
    "ifportup": f"ifportup(443,{{{ITEMS}}})",
    "ifportup of what is down": f"ifportup(444,{{{ITEMS}}})",
    "pickselfweighted": f"pickselfweighted('http://x/',{{{ITEMS}}})",
    "a group of networks": f"newNMG({{{MASKS}}}):match(bestwho)",
    "a group with an error": f"pcall(newNMG, {{{MASKS},'none'}})",
    "new networks": "newNetmask('10.'..i..'.0.0/16')",
}


class Ports(Health):
    """Port 444 is down wherever it is."""

    def status(self, check: object, zone: bytes = b"") -> bool | None:
        return getattr(check, "port", 0) != 444


def engine(
    limit: int, mode: Literal["isolated", "shared"] = "isolated", *, count: bool = False
) -> Engine:
    settings = EngineSettings(mode=mode, exec_limit=limit, time_limit=0)
    return Engine(settings, Places({}), Ports(), 1, count=count)


def asked(client: str) -> QueryContext:
    return query("192-0-2-1.198-51-100-1.203-0-113-1.example.org.", client)


def kinds(made: Engine, code: str, client: str, times: int) -> list[str]:
    """What happens, one time after the other."""
    found = []
    for _ in range(times):
        try:
            contents = made.evaluate(code.encode(), asked(client), lambda _name: None)
            found += [content.decode() for content in contents]
        except LuaFailure as failure:
            found.append(failure.kind)
    return found


def budget(code: str, client: str) -> int:
    """The smallest limit that an execution keeps to which is counted from start to end."""
    counting = engine(1_000_000, count=True)
    assert kinds(counting, code, client, 1) == ["x"]
    assert counting.instructions is not None
    near = range(counting.instructions - 30, counting.instructions + 30)
    enough = bisect_left(
        near, True, key=lambda limit: kinds(engine(limit, count=True), code, client, 1) == ["x"]
    )
    return near[enough]


@pytest.mark.parametrize("mode", ["isolated", "shared"])
@pytest.mark.parametrize("client", ["192.0.2.9", "2001:db8:ffff::9"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_budget_is_neither_more_nor_less(call: str, client: str, mode: str) -> None:
    code = f";for i = 1, 30 do {call} end return 'x'"
    need = budget(code, client)
    shared = mode == "shared"
    enough = engine(need, "shared" if shared else "isolated")
    assert kinds(enough, code, client, 6) == ["x"] * 6
    # Globals that live on forbid a second run: there it takes a few to find out.
    scarce = engine(need - 1, "shared" if shared else "isolated")
    assert kinds(scarce, code, client, 6)[3:] == ["instructions"] * 3
    if not shared:
        again = engine(need - 1)
        assert kinds(again, code, client, 6) == ["instructions"] * 6


@pytest.mark.parametrize("mode", ["isolated", "shared"])
def test_long_lists_in_our_functions_leave_a_record_its_budget(mode: str) -> None:
    rules = f"{{{{{MASKS}}},{{'192.0.2.1'}}}}"
    made = engine(100, "shared" if mode == "shared" else "isolated")
    code = f";local r = {{{rules}}} return view(r) == '' and 'x'"
    assert kinds(made, code, "198.51.100.1", 20) == ["x"] * 20


def test_in_shared_mode_no_execution_takes_more_than_twice_its_budget() -> None:
    made = engine(1000, "shared")
    code = ";n = 0 for i = 1, 1e6 do n = n + 1 end return 'x'"
    assert kinds(made, code, "192.0.2.1", 5) == ["instructions"] * 5
    assert int(made.evaluate(b"n", asked("192.0.2.1"), lambda _name: None)[0]) < 1000
    first = engine(1000, "shared")
    kinds(first, code, "192.0.2.1", 1)
    assert int(first.evaluate(b"n", asked("192.0.2.1"), lambda _name: None)[0]) < 2000


def test_in_shared_mode_a_loop_of_our_functions_ends() -> None:
    made = engine(1000, "shared")
    calls = [
        "pcall(pickrandom, {})",
        f"pickrandom({{{ITEMS}}})",
        f"netmask({{{MASKS}}})",
        "type(1)",
    ]
    for call in calls:
        code = f";while true do {call} end"
        assert kinds(made, code, "192.0.2.1", 4) == ["instructions"] * 4
