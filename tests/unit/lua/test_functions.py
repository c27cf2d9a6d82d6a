"""The functions of PowerDNS: each is described and defined in one pair of files, which agree."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from lzc.health_check import Check
from lzc.lua import functions
from lzc.lua.definition.function import Function
from lzc.lua.engine import state
from lzc.lua.functions import FUNCTIONS
from lzc.lua.health.options import OF_CHECKS
from tests.unit.lua_running import Runner

FOLDER = Path(functions.__file__).parent
LUA = FOLDER.parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
FILES = sorted(path.stem for path in FOLDER.glob("*.lua"))


def described(module: str) -> list[Function]:
    return list(import_module(f"lzc.lua.functions.{module}").FUNCTIONS)


def defined(code: str) -> set[str]:
    """The names that Lua code gives records."""
    lines = [line for line in code.splitlines() if re.match(r"\s*(core\.)?api\.\w+.* = ", line)]
    return {name for line in lines for name in re.findall(r"api\.(\w+)", line.partition(" = ")[0])}


def test_every_description_has_its_lua_beside_it_and_every_lua_its_description() -> None:
    assert MODULES == FILES


@pytest.mark.parametrize("module", MODULES)
def test_the_lua_beside_a_description_defines_what_is_described(module: str) -> None:
    names = {function.name for function in described(module)}
    assert names == defined((FOLDER / f"{module}.lua").read_text())


def test_the_registry_has_what_the_modules_describe_each_once() -> None:
    every = [function for module in MODULES for function in described(module)]
    assert len(every) == len(FUNCTIONS)
    assert {function.name: function for function in every} == FUNCTIONS


def test_the_engine_defines_functions_of_powerdns_nowhere_else() -> None:
    files = Path(state.__file__).with_name("api").glob("*.lua")
    assert not set().union(*(defined(path.read_text()) for path in files))


@pytest.mark.parametrize("module", MODULES)
def test_a_description_says_what_the_functions_do(module: str) -> None:
    told = import_module(f"lzc.lua.functions.{module}").__doc__ or ""
    for function in described(module):
        assert re.search(rf"\b{function.name}\b", told), function.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_description_has_a_signature_and_a_version(name: str) -> None:
    function = FUNCTIONS[name]
    count = len(function.parameters)
    assert 0 <= function.required <= count
    assert all(parameter.what for parameter in function.parameters)
    assert function.since is None or (4, 5) < function.since <= (5, 1)
    for position in (function.chosen, function.options):
        assert position is None or position < count
    assert (function.options is None) == (function.targets is None)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_lua_takes_as_many_arguments_as_the_description_says(name: str) -> None:
    function, count = FUNCTIONS[name], len(FUNCTIONS[name].parameters)
    arguments = ", ".join(["nil"] * (count + 1))
    got = Runner()(f";local _, message = pcall({name}, {arguments}) return message")
    if function.refused:
        assert got[0].startswith(f"{name} is refused")
    elif not function.more:
        assert got == [f"This function requires at most {count} parameter(s)"]


@pytest.mark.parametrize(
    "path",
    [
        *(path for path in (LUA / "lint").glob("*.py") if path.stem != "rules"),
        FOLDER / "__init__.py",
        *(LUA / "recognition").glob("*.py"),
        Path(state.__file__),
    ],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_who_looks_functions_up_knows_none_by_name(path: Path) -> None:
    constants = {
        node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
    }
    assert not constants & FUNCTIONS.keys()


def test_every_part_of_a_check_but_its_target_is_an_option() -> None:
    of_target = {"address", "port", "url"}
    options = [option.field for option in OF_CHECKS]
    assert sorted(options) == sorted({field.name for field in fields(Check)} - of_target)
