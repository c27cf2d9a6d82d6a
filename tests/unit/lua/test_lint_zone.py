"""The linter over whole zones: places in the operator's files, suppression, runs, configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lzc import config
from lzc.compiler import pipeline
from lzc.compiler.lua.lint import LintSettings, lint_zone
from lzc.compiler.lua.programs import Programs
from lzc.config import LuaSection
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import Fault, InputError
from lzc.lua.lint.linter import included_names
from lzc.lua.lint.rules import RULES
from lzc.powerdns_versions import Secondary
from tests.unit import lint_project
from tests.unit.compiling import wire
from tests.unit.zone_text import read_zone_text

NS2 = (Secondary("ns2", (4, 7)),)


def lint(body: str, settings: LintSettings | None = None) -> list[Fault]:
    zone, faults = read_zone_text((lint_project.TOP + body).encode(), wire("example.org"), "z")
    assert faults == []
    zone.records.sort()
    return lint_zone(Programs(zone, insert_whitespace=True), settings or LintSettings())


def found(body: str, settings: LintSettings | None = None) -> list[tuple[str, int, int]]:
    """Rules, with the line in the body (from 1) and the column."""
    return [
        (fault.rule, fault.place.line - 3, fault.place.column) for fault in lint(body, settings)
    ]


def test_every_fault_is_found_at_its_line_and_column_and_nothing_else(tmp_path: Path) -> None:
    expected = lint_project.write(tmp_path)
    Keystore(tmp_path / "keys").generate(wire("faulty.example"), 13, [257], 0)
    with pytest.raises(InputError) as caught:
        pipeline.check(config.load(tmp_path / "lzc.toml"))
    got = [
        (fault.rule, fault.place.file, fault.place.line, fault.place.column)
        for fault in caught.value.faults
    ]
    assert sorted(got) == sorted(expected)
    # What hangs is not committed: see test_build_hangs. Versions differ for a zone that is
    # answered as one and goes to another: see test_differing.
    assert {rule for rule, *_ in got} == set(RULES) - {"lua-hangs", "lua-version-differs"}
    for fault in caught.value.faults:
        assert fault.severity is RULES[fault.rule].severity
        assert fault.message and fault.why and fault.fix


def test_what_is_included_is_looked_up_in_the_zone() -> None:
    assert (
        found(
            "base.conf LUA LUA \"pool={'192.0.2.1'}\"\n"
            "conf LUA LUA \"include('base.conf.')\"\n"
            "www LUA A \";include('conf') return pickrandom(pool)\"\n"
            "WWW2 LUA A \";include('CONF') return pickrandom(pool)\"\n"
        )
        == []
    )
    (fault,) = lint("a A 192.0.2.1\na TXT x\nwww LUA A \";include('a') return '192.0.2.1'\"\n")
    assert fault.message == "'a' cannot be included: it has A, TXT, but no record that covers LUA"
    assert found("c LUA LUA \"x='192.0.2.1'\"\nwww LUA A \";include('c.') return x\"\n") == []
    (fault,) = lint(
        "c LUA LUA \"x=1\"\nwww LUA A \";include('c.example.org.') return '192.0.2.1'\"\n"
    )
    assert "relative to the zone, with a final dot too" in fault.message


@pytest.mark.parametrize(("records", "told"), [(90, True), (800, False)])
def test_a_chain_of_includes_is_followed_so_far_and_taken_for_anything_behind(
    records: int, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of 10,000 records that includes the next took all of the rest to be gone through."""
    looked = 0

    def count(*arguments: Any) -> list[bytes]:
        nonlocal looked
        looked += 1
        return included_names(*arguments)

    monkeypatch.setattr("lzc.compiler.lua.lint.included_names", count)
    chain = "".join(f"i{n} LUA LUA \"include('i{n + 1}')\"\n" for n in range(records - 1))
    body = f"{chain}i{records - 1} LUA LUA \"x='192.0.2.1'\"\n"
    rules = {rule for rule, *_ in found(body + "www LUA A \";include('i0') return x, y\"\n")}
    assert ("lua-unknown-global" in rules) is told
    assert looked <= 101 * (records + 1)


def test_records_that_include_each_other_never_end() -> None:
    assert found(
        "a LUA LUA \"include('b') x='192.0.2.1'\"\nb LUA LUA \"include('a')\"\n"
        "www LUA A \";include('a') return x\"\n"
    ) == [("lua-instructions", 3, 12)]


def test_configuration_may_use_what_those_that_include_it_set() -> None:
    body = (
        "lib LUA LUA \"pool = make('192.0.2.1')\"\n"
        "www LUA A \";function make(a) return {a} end include('lib') return pickrandom(pool)\"\n"
    )
    assert found(body) == []


def test_in_shared_mode_globals_of_other_records_are_known() -> None:
    body = (
        "set LUA A \";pool = pool or {'192.0.2.1'} return pickrandom(pool)\"\n"
        'use LUA A "pickrandom(pool)"\n'
    )
    assert found(body, LintSettings(lua=LuaSection(mode="shared"))) == []
    assert found(body) == [("lua-unknown-global", 2, 23)]


LOOP = "www LUA A \";for i = 1, {} do local x = i end return '192.0.2.1'\"\n"


def test_instructions_are_counted_by_a_run_and_held_against_the_lowest_limit() -> None:
    limited = LintSettings(secondaries=(Secondary("ns2", (5, 1)),))
    assert found(LOOP.format(100), limited) == []
    (fault,) = lint(LOOP.format(5000), limited)
    assert fault.message.endswith("instructions; secondary ns2 stops it at 1000")
    unlimited = LintSettings(lua=LuaSection(exec_limit=0))
    assert found(LOOP.format(5000), unlimited) == []
    patient = (Secondary("ns2", (5, 1), exec_limit=50_000), *NS2)
    relaxed = LintSettings(lua=LuaSection(exec_limit=20_000), secondaries=patient)
    assert found(LOOP.format(5000), relaxed) == []
    assert "this server" in lint(LOOP.format(5000), LintSettings())[0].message
    assert "more than 10000 instructions" in lint(LOOP.format(10**6))[0].message


def test_the_worst_client_and_the_worst_health_count() -> None:
    loop = "for i = 1, 5000 do local x = i end"
    for condition in (
        "country('NL') and not netmask({'192.0.2.0/24'})",
        "#ifportup(443, {'192.0.2.1', '192.0.2.2'}, {selector='all'}) == 2 and continent('EU')",
        "ecswho",
        "who:isIPv6()",
    ):
        body = f"www LUA A \";if {condition} then {loop} end return '192.0.2.1'\"\n"
        assert found(body) == [("lua-instructions", 1, 12)], condition


def test_included_code_counts() -> None:
    body = 'lib LUA LUA "for i = 1, 5000 do n = i end"\n'
    body += "www LUA A \";include('lib') return '192.0.2.1'\"\n"
    assert found(body) == [("lua-instructions", 2, 12)]


def test_every_record_that_generate_makes_is_looked_at() -> None:
    faults = lint("$GENERATE 1-300 h$ LUA A \"'192.0.2.$'\"\n")
    assert [(fault.rule, fault.place.line, fault.place.column) for fault in faults] == [
        ("lua-bad-address", 4, 1)
    ]
    assert faults[0].message == (
        "'192.0.2.256' is no address for A (in the record of h256.example.org.)"
    )


def test_a_rule_is_told_once_of_all_that_generate_makes() -> None:
    body = "$GENERATE 9-300 h$ LUA A \"pickrandom({'192.0.2.${1,0}', '192.0.2.${247,0}'})\"\n"
    assert found(body) == [("lua-bad-address", 1, body.index("'192.0.2.${247") + 1)]
    ignored = "$GENERATE 1-300 h$ LUA A \"'192.0.2.$'\" ; lzc: ignore lua-bad-address\n"
    assert found(ignored) == []


def test_of_too_many_generated_records_both_ends_are_looked_at() -> None:
    (low,) = lint("$GENERATE 2000-9000 h$ LUA A \"'192.0.2.${-1999}'\"\n")
    assert low.rule == "lua-bad-address"
    many = "$GENERATE 0-2999/3 h$ LUA A \"'192.0.${1,0}.1'\"\n"
    (fault,) = lint(many + "$GENERATE 1-4 g$ LUA TXT \"'$'\"\n" * 600)
    assert fault.message.endswith("(in the record of h2997.example.org.)")


def test_instructions_are_counted_for_every_number() -> None:
    body = "$GENERATE 1-5000/499 h$ LUA A \";for i = 1, $ do local x = i end return '192.0.2.1'\"\n"
    faults = {fault.rule: fault.message for fault in lint(body)}
    assert set(faults) == {"lua-instructions"}
    assert "(in the record of h" in faults["lua-instructions"]


def test_generated_code_can_be_included_by_each_of_its_names() -> None:
    body = "$GENERATE 1-3000 c$ LUA LUA \"x$='192.0.2.1'\"\n"
    for number in (1, 2, 1234, 3000):
        use = f"www LUA A \";include('c{number}') return x{number}\"\n"
        assert found(body + use) == [], number


def test_a_comment_suppresses_rules_beside_its_record_only() -> None:
    record = 'LUA A "createForward()"'
    assert found(f"*.a {record} ; lzc: ignore lua-open-forward, lua-ttl\n*.b {record}\n") == [
        ("lua-suppression-unused", 1, 1),
        ("lua-open-forward", 2, 12),
    ]


def test_what_cannot_be_ignored_is_told() -> None:
    (fault,) = lint("a LUA A \"'192.0.2.1'\" ; lzc: ignore lua-syntax\n")
    assert (fault.rule, fault.message) == (
        "lua-suppression-unknown",
        "rule lua-syntax cannot be suppressed",
    )
    (fault,) = lint("a LUA A \"'192.0.2.1'\" ; lzc: ignore lua-time-out\n")
    assert fault.fix == "did you mean lua-timeout?"


def test_suppression_reaches_what_the_build_finds(tmp_path: Path) -> None:
    (tmp_path / "example.org.zone").write_text(
        lint_project.TOP
        + "a LUA A \"('x')()\" ; lzc: ignore lua-fails\n"
        + "; lzc: ignore lua-and-static\nb LUA A \"'192.0.2.1'\"\nb A 192.0.2.2\n"
    )
    (tmp_path / "lzc.toml").write_text('[build]\nsources=["*.zone"]\n[lua]\nenable=true\n')
    assert pipeline.check(config.load(tmp_path / "lzc.toml")).warnings == []


def test_a_failure_that_is_explained_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "example.org.zone").write_text(lint_project.TOP + "a LUA A \"resolve('x', 1)\"\n")
    (tmp_path / "lzc.toml").write_text('[build]\nsources=["*.zone"]\n[lua]\nenable=true\n')
    warnings = pipeline.check(config.load(tmp_path / "lzc.toml")).warnings
    assert [fault.rule for fault in warnings] == ["lua-not-provided"]


def test_code_is_not_held_against_what_could_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "example.org.zone").write_text(
        lint_project.TOP
        + "conf LUA LUA \"pool = {'192.0.2.1'\"\n"
        + "www LUA A \";include('conf') return pickrandom(pool)\"\n"
    )
    (tmp_path / "lzc.toml").write_text('[build]\nsources=["*.zone"]\n[lua]\nenable=true\n')
    with pytest.raises(InputError) as caught:
        pipeline.check(config.load(tmp_path / "lzc.toml"))
    assert [fault.rule for fault in caught.value.faults] == ["lua-syntax"]


def test_the_same_fault_a_thousand_times_is_told_in_short() -> None:
    body = "".join(f'n{number} LUA A "pickrandom({{}})"\n' for number in range(1200))
    faults = lint(body)
    assert len(faults) == 1001
    assert faults[-1].message.endswith("(the last of 200 more)")


@pytest.mark.parametrize(
    ("unread", "told"),
    [
        ("x A 192.0.2.256\n", True),
        ("x MX mail\n", True),
        # Any of these may be what is included.
        ("x LUA LUA\n", False),
        ('x LAU LUA "y = 1"\n', False),
        ('x 3000000000 LUA LUA "y = 1"\n', False),
    ],
)
def test_an_include_that_is_missing_is_told_beside_errors_of_other_records(
    tmp_path: Path, unread: str, told: bool
) -> None:
    (tmp_path / "zones").mkdir()
    (tmp_path / "lzc.toml").write_text('[build]\nsources = ["zones/*"]\n[lua]\nenable = true\n')
    (tmp_path / "zones" / "example.org.zone").write_text(
        lint_project.TOP + unread + "www LUA A \";include('base') return pickrandom(pool)\"\n"
    )
    with pytest.raises(InputError) as caught:
        pipeline.check(config.load(tmp_path / "lzc.toml"))
    rules = [fault.rule for fault in caught.value.faults]
    assert ("lua-include" in rules) is told
    assert len(rules) > told
