"""Plans for the LUA records of a zone that need no Lua to be answered, and what stands in the code
of the others.

Running a record does not show all: the name asked for, the client's subnet or chance may decide as
well which call comes about. A call on constants says what it checks wherever it stands; one too
many, such as in code that is never reached, is only a check that nobody needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from lzc.compiler.lua.programs import Programs
from lzc.health_check import Check
from lzc.lua.definition.check_options import check_document, read_options
from lzc.lua.definition.function import Function
from lzc.lua.functions import CHECKING, FUNCTIONS
from lzc.lua.health.constants import Constants, options_of
from lzc.lua.plan import checks_in, checks_of, plan_key
from lzc.lua.program import CLOCK, Program
from lzc.lua.recognition.recogniser import most_instructions, operation_of, recognise
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Names, Other, is_constant, resolve
from lzc.lua.syntax.effort import Effort, TooMuch
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
        plan = _plan(program, programs, exec_limit) if is_alone else None
        if plan is not None:
            plans[plan_key(program.code, program.covered, programs.zone.apex)] = plan
            if b'["if",' in plan and (b'["up",' in plan or b'["weights",' in plan):
                # Asked about only for some clients, which trying it out may not have shown.
                checks |= checks_in(plan)
            continue
        if not program.is_included:
            checks |= written_checks(program)
        constants |= written_constants(program)
        steady = steady and not program.facts.may_reach(CLOCK)
    return Planned(plans, checks, constants, steady)


def _each_code(programs: Programs) -> Iterator[tuple[Program, bool]]:
    """Each program once, in order, and whether it is ever the only one that answers for its type at
    a name."""
    found: dict[tuple[bytes, int], list[bytes]] = {}
    for record, program in programs:
        found.setdefault((record[KEY], program.covered), []).append(program.code)
    alone: dict[tuple[bytes, int], bool] = {}
    for (_, covered), codes in found.items():
        for code in codes:
            alone[code, covered] = alone.get((code, covered), False) or len(codes) == 1
    for code, covered in sorted(alone):
        yield programs.shared(code, covered), alone[code, covered]


def _plan(program: Program, programs: Programs, exec_limit: int) -> bytes | None:
    included: list[bytes] = []

    def include(name: bytes) -> Program | None:
        found = programs.include(name)
        if found is not None:
            included.append(found.code)
        return found

    plan = recognise(program, include)
    most = most_instructions(b"".join((program.code, *included)))
    return plan if not exec_limit or most <= exec_limit else None


def written_checks(program: Program) -> set[Check]:
    """The checks of all calls on constants in code that chooses between some; constants may have
    names, as long as each is given once."""
    found: set[Check] = set()
    calls = _calls(program)
    if not calls or not program.facts.chooses:
        return found
    names = _named(program.nodes)
    effort = Effort(len(program.code))
    for call in calls:
        try:
            found |= checks_of(operation_of(call, names, program.covered, effort))
        except (Other, RecursionError):
            continue
        except TooMuch:
            break
    return found


def _calls(program: Program) -> list[ast.Call]:
    """The calls that ask for checks."""
    try:
        return [
            call
            for call in program.calls
            if isinstance(call.function, ast.Name) and call.function.name in CHECKING
        ]
    except (ast.LuaCodeError, RecursionError):
        return []


def _named(nodes: tuple[ast.Node, ...]) -> Names:
    """The constants that have a name of their own."""
    given: dict[bytes, list[ast.Expression]] = {}
    for name, value in _definitions(nodes):
        given.setdefault(name, []).append(value)
    return {
        name: values[0]
        for name, values in given.items()
        if len(values) == 1 and is_constant(values[0])
    }


def _definitions(nodes: tuple[ast.Node, ...]) -> Iterator[tuple[bytes, ast.Expression]]:
    for node in nodes:
        if isinstance(node, ast.Local):
            targets: tuple[ast.Expression, ...] = node.names
        elif isinstance(node, ast.Assignment):
            targets = node.targets
        else:
            continue
        for target, value in zip(targets, node.values, strict=False):
            if isinstance(target, ast.Name):
                yield target.name, value


def written_constants(program: Program) -> Constants:
    """The ports, URLs and options of all calls, whatever candidates they are for; constants may
    have names, as long as each is given once. What would take too long to read is left out."""
    calls = _calls(program)
    if not calls:
        return Constants()
    reader = _Reader(_named(program.nodes), Effort(len(program.code)))
    for call in calls:
        if isinstance(call.function, ast.Name) and call.arguments:
            function = FUNCTIONS[call.function.name.decode()]
            try:
                reader.read(function, call.arguments)
            except TooMuch:
                break
    return reader.found


class _Reader:
    """Reads calls, and keeps what it finds."""

    def __init__(self, names: Names, effort: Effort) -> None:
        self._names = names
        self._effort = effort
        self.found = Constants()

    def read(self, function: Function, arguments: tuple[ast.Expression, ...]) -> None:
        """The first argument and the options of a call. Raises `TooMuch`."""
        if function.targets is None or function.options is None:
            return
        none = ast.Table(0, 0, ())
        given = arguments[function.options] if len(arguments) > function.options else none
        self._try(arguments[0], function.targets)
        self._try(given, _options)

    def _try(self, node: ast.Expression, read: Callable[[ast.Expression], Constants]) -> None:
        try:
            known = resolve(node, self._names)
            self._effort.take_tree(known)
            self.found |= read(known)
        except (Other, RecursionError):
            return


def _options(node: ast.Expression) -> Constants:
    document = check_document(b"port ", 0, b"", read_options(node).settings)
    return Constants(options=frozenset((options_of(Check.from_document(document)),)))
