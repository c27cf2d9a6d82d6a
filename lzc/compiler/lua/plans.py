"""Plans for the LUA records of a zone that need no Lua to be answered, and what stands in the code
of the others.

Running a record does not show all: the name asked for, the client's subnet or chance may decide as
well which call comes about. A call on constants says what it checks wherever it stands; one too
many, such as in code that is never reached, is only a check that nobody needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache, partial
from typing import NamedTuple

from lzc.compiler.lua.programs import KEPT, Programs
from lzc.health_check import Check
from lzc.lua.definition.check_options import check_document, read_options
from lzc.lua.definition.function import Function
from lzc.lua.functions import CHECKING, FUNCTIONS, INCLUDING
from lzc.lua.health.constants import Constants, options_of
from lzc.lua.plan import checks_in, checks_of, plan_key
from lzc.lua.program import CLOCK, Program
from lzc.lua.recognition.recogniser import operation_of, recognise
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Effort, Names, Other, TooMuch, is_constant, resolve
from lzc.powerdns_versions import Version
from lzc.zone.model import KEY


class Planned(NamedTuple):
    """``plans`` of a zone, sorted as zones are, by `lzc.lua.plan.plan_key`; ``checks`` that running
    the records may not have shown; ``constants`` in calls of those that are run, which may look at
    candidates that a query decides; and whether all of these are ``steady``: do not look at the
    clock."""

    plans: dict[bytes, bytes]
    checks: set[Check]
    constants: Constants
    steady: bool


def plan_zone(programs: Programs, exec_limit: int = 0) -> Planned:
    """Find plans, and look at the code of records that get none. These are several records that
    answer for one type at one name, as there is no plan for them together, and what might take more
    instructions than ``exec_limit`` (0: no limit)."""
    plans: dict[bytes, bytes] = {}
    checks: set[Check] = set()
    constants = Constants()
    steady = True
    for program, is_alone in _each_code(programs):
        plan = None
        for encloser in programs.enclosers(program) if is_alone else ():
            plan = _plan(program, programs, exec_limit, encloser)
            if plan is None:
                break
            code, apex = program.code, programs.zone.apex
            plans[plan_key(code, program.covered, apex, programs.version, encloser)] = plan
        if plan is not None:
            if b'["if",' in plan and (b'["up",' in plan or b'["weights",' in plan):
                # Asked about only for some clients, which trying it out may not have shown.
                checks |= checks_in(plan)
            continue
        if not program.is_included:
            checks |= written_checks(program, programs.version)
        if not program.names.isdisjoint(CHECKING):
            constants |= written_constants(program, programs.version)
        steady = steady and not program.may_reach(CLOCK)
    return Planned(plans, checks, constants, steady)


def _each_code(programs: Programs) -> Iterator[tuple[Program, bool]]:
    """Each program once, in order, and whether it is ever the only one that answers for its type at
    a name."""
    found: dict[tuple[bytes, int], list[bytes]] = {}
    for record in programs.records:
        code, covered = programs.code(record)
        found.setdefault((record[KEY], covered), []).append(code)
    alone: dict[tuple[bytes, int], bool] = {}
    for (_, covered), codes in found.items():
        for code in codes:
            alone[code, covered] = alone.get((code, covered), False) or len(codes) == 1
    for code, covered in sorted(alone):
        yield KEPT[code, covered], alone[code, covered]


@lru_cache(maxsize=1024)
def _plan_alone(code: bytes, covered: int, version: Version, encloser: int) -> bytes | None:
    """The plan of what includes nothing: the same in all zones, which repeat their records."""
    return recognise(KEPT[code, covered], version, encloser=encloser)


def _plan(program: Program, programs: Programs, exec_limit: int, encloser: int) -> bytes | None:
    run = [program]

    def include(name: bytes) -> Program | None:
        found = programs.include(name)
        if found is not None:
            run.append(found)
        return found

    plan = _plan_alone(program.code, program.covered, programs.version, encloser)
    if plan is None and not program.names.isdisjoint(INCLUDING):
        plan = recognise(program, programs.version, include, encloser=encloser)
    if plan is None or not exec_limit:
        return plan
    # Nothing that a plan is made of repeats.
    most = sum(one.most_instructions(exec_limit // len(run)) or 0 for one in run)
    return plan if most <= exec_limit else None


def written_checks(program: Program, version: Version) -> set[Check]:
    """The checks of all calls on constants in code that chooses between some; constants may have
    names, as long as each is given once."""
    found: set[Check] = set()
    calls = _calls(program)
    if not calls or not program.chooses:
        return found
    names, effort = _named(program.nodes), Effort(len(program.code))
    with suppress(TooMuch):
        for _, call in calls:
            with suppress(Other, RecursionError):
                operation = operation_of(call, names, program.covered, version, effort)
                found |= checks_of(operation)
    return found


def _calls(program: Program) -> list[tuple[Function, ast.Call]]:
    """The calls that ask for checks."""
    found: list[tuple[Function, ast.Call]] = []
    if program.names.isdisjoint(CHECKING):
        return found
    with suppress(ast.LuaCodeError, RecursionError):
        for call in program.calls:
            name = call.function.name if isinstance(call.function, ast.Name) else b""
            function = FUNCTIONS.get(name.decode("latin-1"))
            if function is not None and function.options is not None:
                found.append((function, call))
    return found


def _named(nodes: tuple[ast.Node, ...]) -> Names:
    """The constants that have a name of their own."""
    given: dict[bytes, list[ast.Expression]] = {}
    for node in nodes:
        if isinstance(node, ast.Local | ast.Assignment):
            targets = node.names if isinstance(node, ast.Local) else node.targets
            for target, value in zip(targets, node.values, strict=False):
                if isinstance(target, ast.Name):
                    given.setdefault(target.name, []).append(value)
    return {
        name: values[0]
        for name, values in given.items()
        if len(values) == 1 and is_constant(values[0])
    }


def written_constants(program: Program, version: Version) -> Constants:
    """The ports, URLs and options of all calls, whatever candidates they are for; constants may
    have names, as long as each is given once. What would take too long to read is left out."""
    found = Constants()
    calls = _calls(program)
    if not calls:
        return found
    names, effort = _named(program.nodes), Effort(len(program.code))
    none = ast.Table(0, 0, ())
    with suppress(TooMuch):
        for function, call in calls:
            at, targets = function.options, function.targets
            if at is None or targets is None or not call.arguments:
                continue
            given = call.arguments[at] if at < len(call.arguments) else none
            options = partial(_options, version)
            for node, read in ((call.arguments[0], targets), (given, options)):
                with suppress(Other, RecursionError):
                    known = resolve(node, names)
                    effort.take_tree(known)
                    found |= read(known)
    return found


def _options(version: Version, node: ast.Expression) -> Constants:
    document = check_document(b"port ", 0, b"", read_options(version, node).settings)
    return Constants(options=frozenset((options_of(Check.from_document(document)),)))
