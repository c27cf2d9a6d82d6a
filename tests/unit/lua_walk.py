"""The files that a LUA record is followed through, from the text of its zone to the octets of an
answer: ``python -m tests.unit.lua_walk`` traces and prints them.

What is traced is the build of a zone with one record (`lzc.compiler.zone_job.build_zone`), and one
query for it to what answers in a worker (`lzc.serve.worker.answering`); and both again with a
static record in its place. A file is one of the walk where a function of it is entered for the LUA
record and none for the static one, or where it hands over to such a file: what all records pass
through is left out, but for the doors behind which LUA records part from them.

That is a count of files that are there for LUA records. It is not all that is entered for one, and
what it leaves out is printed beside it:

- The files that the static record enters as well, in some of which a LUA record enters functions
  that the static one does not: such are named.
- What only tells of the record: lint, and the search for the health checks that it asks for. No
  octet of the zone depends on them, which is held by building it without. A trial of its code in a
  child is a walk of its own, and is not traced.

It does not see what is read when a module is imported, such as tables of functions and options; the
Lua in which code runs (`lzc/lua/engine/api`, and a file beside the description of each function);
what writes the bundle, and what a worker does when it starts; and other records than these few: one
with options, escapes or a file of its own leads through more.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar
from unittest.mock import patch

import dns.message

import lzc
import lzc.compiler.lua.health_checks
import lzc.compiler.lua.lint
import lzc.compiler.lua.plans
from lzc.answer.settings import ResponderSettings
from lzc.bundle import current, writer
from lzc.bundle.reader import Bundle
from lzc.compiler import zone_job
from lzc.compiler.inputs.sources import ZoneSource
from lzc.compiler.job import ZoneJob, ZoneResult
from lzc.config import LuaSection
from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.worker.answering import answering, lua_parts
from lzc.source.limits import Limits
from lzc.source.reach import Reach
from lzc.wire.name import from_text
from tests.unit.answering import CLIENT, HEAD, NOW
from tests.unit.lua_running import Health, unhurried

RECORDS: Final = {
    "plan": """( "pickrandom({'192.0.2.1',"\n "'192.0.2.2'})" )""",
    "code": """( ";local found = {} for last = 1, 3 do found[last] ="
        " '192.0.2.' .. last end return found" )""",
    "line": """ "pickrandom({'192.0.2.1','192.0.2.2'})" """,
    "health": """( "ifportup(443, {'192.0.2.1',"\n "'192.0.2.2'})" )""",
}
_STATIC: Final = "static"
_FOLDER: Final = f"{Path(lzc.__file__).parent}/"

Call = tuple[str, str, str]
"""The file that calls, the one that is called, and the function in that."""
Calls = set[Call]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Walk:
    """The files of a walk: ``own`` are those that static records do not enter, ``doors`` those that
    hand over to them. ``beside`` are others that static records enter, but not all functions that
    this one does; ``entered`` are all files, and ``telling`` those that are entered besides for
    what only tells of it."""

    own: frozenset[str]
    doors: frozenset[str]
    beside: frozenset[str]
    entered: frozenset[str]
    telling: frozenset[str]

    @property
    def files(self) -> frozenset[str]:
        """Both."""
        return self.own | self.doors


def walk(kind: str) -> Walk:
    """The walk of one of `RECORDS`. Each is traced in a process of its own: what was seen before is
    kept in caches."""
    static, _ = _traced(_STATIC)
    calls, telling = _traced(kind)
    shared = {called for _, called, _ in static}
    functions = {(called, function) for _, called, function in static}
    entered = {called for _, called, _ in calls}
    own = entered - shared
    doors = {caller for caller, called, _ in calls if called in own} - own
    beside = {called for _, called, function in calls if (called, function) not in functions}
    return Walk(
        frozenset(own),
        frozenset(doors),
        frozenset(beside & shared - doors),
        frozenset(entered),
        frozenset({called for _, called, _ in telling} - entered),
    )


@cache
def _traced(kind: str) -> tuple[frozenset[Call], frozenset[Call]]:
    """The calls for a kind of record, and those when all is done that a build does."""
    command = [sys.executable, "-m", __spec__.name, kind]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    calls, telling = (frozenset(map(tuple, found)) for found in json.loads(printed))
    return calls, telling


def _trace(calls: Calls, work: Callable[[], Made]) -> Made:
    def see(frame: FrameType, event: str, _argument: object) -> None:
        called = frame.f_code.co_filename
        if event != "call" or not called.startswith(_FOLDER) or frame.f_code.co_name == "<module>":
            return
        before = frame.f_back
        while before is not None and not before.f_code.co_filename.startswith(_FOLDER):
            before = before.f_back
        if before is not None:
            caller = before.f_code.co_filename
            function = frame.f_code.co_qualname
            calls.add((caller.removeprefix(_FOLDER), called.removeprefix(_FOLDER), function))

    sys.setprofile(see)
    try:
        return work()
    finally:
        sys.setprofile(None)


def _job(folder: Path, kind: str) -> ZoneJob:
    path = folder / "example.org.zone"
    record = f"LUA A {RECORDS[kind]}" if kind in RECORDS else "A (\n 192.0.2.1 )"
    path.write_text(f"{HEAD}www 60 IN {record}\n")
    source = ZoneSource(from_text("example.org."), path, path.name, False, True, "keep")
    reach, limits = Reach.whole(folder), Limits()
    return ZoneJob(0, source, reach, limits, (), None, LuaSection(enable=True), NOW)


def _without_remarks(job: ZoneJob) -> ZoneResult:
    """The zone as it is built when nobody looks for faults and health checks."""
    nothing: Any = (frozenset(), [])
    with ExitStack() as stack:
        for owner, name, found in (
            (lzc.compiler.lua.health_checks, "discover", lambda *_: nothing),
            (lzc.compiler.lua.health_checks, "judge", lambda *_: nothing),
            (lzc.compiler.lua.lint, "lint_zone", lambda _, __, faults, **___: faults),
        ):
            stack.enter_context(patch.object(owner, name, found))
        return zone_job.build_zone(job)


def _trace_all(kind: str, folder: Path) -> tuple[Calls, Calls]:
    calls: Calls = set()
    telling: Calls = set()
    job = _job(folder, kind)
    built = _trace(calls, lambda: _without_remarks(job)).zone
    assert built is not None
    whole = _trace(telling, lambda: zone_job.build_zone(job)).zone
    assert built == whole, "its octets depend on what was left out"
    with current.locked(folder / "build"):
        identity = writer.write(folder / "build", [built], [], version="test", inputs={})
    with Bundle.open(folder / "build" / identity) as bundle:
        failures: list[Exception] = []
        engine, planner = lua_parts(
            unhurried(), bundle, None, Health(True), None, 1, random.Random(1).random
        )
        responder, _ = answering(
            bundle,
            ResponderSettings(),
            {},
            (),
            Scoreboard(1).slot(0),
            lambda _name, error: failures.append(error),
            engine=engine,
            planner=planner,
        )
        query = dns.message.make_query("www.example.org", "A")
        found = _trace(calls, lambda: responder.respond(query.to_wire(), CLIENT, NOW, tcp=False))
        assert found is not None and not failures
        assert dns.message.from_wire(found[0]).answer[0][0].address.startswith("192.0.2.")
    return calls, telling


def main(kind: str | None) -> None:
    """Print the calls of one kind of record, as JSON, or the walks of all kinds."""
    if kind is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps([*map(sorted, _trace_all(kind, Path(folder).resolve()))]))
        return
    for kind in RECORDS:
        found = walk(kind)
        print(f"{kind}: {len(found.files)} files, {len(found.doors)} of them doors")
        for file in sorted(found.files):
            print(f"    {file}{' (door)' if file in found.doors else ''}")
        print(f"  {len(found.beside)} more of static records, with functions they do not enter:")
        for file in sorted(found.beside):
            print(f"    {file}")
        print(f"  {len(found.entered)} files in all, and {len(found.telling)} that tell of it")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
