"""The checks of a record are known before anyone asks for it."""

from lzc.compiler.lua.discover import Discovery
from lzc.health_check import Check
from lzc.lua.engine.execution import EngineSettings, QueryContext
from lzc.wire import name as wire_name

QUERY = QueryContext(
    wire_name.from_text("www.example.org."), wire_name.from_text("example.org."), bytes(4)
)


def found(code: str, included: bytes | None = None) -> list[tuple[str, int, str]]:
    explored = Discovery(EngineSettings()).explore(code.encode(), QUERY, lambda _name: included)
    return [(check.address, check.port, check.url) for check in explored.checks]


def test_every_candidate_of_ifportup_is_a_check() -> None:
    assert found("ifportup(443, {'192.0.2.1', '2001:DB8::1'})") == [
        ("192.0.2.1", 443, ""),
        ("2001:db8::1", 443, ""),
    ]


def test_every_set_is_found_not_only_the_one_in_use() -> None:
    assert found("ifurlup('https://x/', {{'192.0.2.1'}, {'192.0.2.2'}})") == [
        ("192.0.2.1", 0, "https://x/"),
        ("192.0.2.2", 0, "https://x/"),
    ]


def test_options_make_the_check() -> None:
    options = "{timeout=5,stringmatch='ok',useragent='u',source='192.0.2.9'}"
    code = f"ifurlup('https://x/',{{'192.0.2.1'}},{options})".encode()
    assert Discovery(EngineSettings()).explore(code, QUERY, lambda _name: None).checks == (
        Check(
            "192.0.2.1",
            url="https://x/",
            timeout=5,
            stringmatch="ok",
            useragent="u",
            source="192.0.2.9",
        ),
    )


def test_a_source_is_an_address_whatever_port_stands_with_it() -> None:
    for source in ("2001:DB8:0::1", "[2001:db8::1]:80"):
        code = f"ifportup(1,{{'2001:db8::2'}},{{source='{source}'}})".encode()
        (check,) = Discovery(EngineSettings()).explore(code, QUERY, lambda _name: None).checks
        assert check.source == "2001:db8::1"


def test_checks_behind_conditions_on_the_client_are_found() -> None:
    code = """;if country('US') then return ifportup(1, {'192.0.2.1'})
    elseif continent('EU') and netmask({'10.0.0.0/8'}) then return ifportup(2, {'192.0.2.2'})
    else return ifportup(3, {'192.0.2.3'}) end"""
    assert sorted(port for _, port, _ in found(code)) == [1, 2, 3]


def test_checks_that_only_run_when_others_are_up_are_found() -> None:
    code = (
        ";local a = ifportup(1, {'192.0.2.1'}, {backupSelector='empty'})"
        " if #a > 0 then return ifportup(2, {'192.0.2.2'}) end return {}"
    )
    assert sorted(port for _, port, _ in found(code)) == [1, 2]


def test_included_code_is_followed() -> None:
    code = ";include('config') return ifportup(80, ips)"
    assert found(code, b"ips = {'192.0.2.7'}") == [("192.0.2.7", 80, "")]


def test_code_without_checks_or_with_faults_has_none() -> None:
    assert found("pickrandom({'192.0.2.1'})") == []
    assert found("ifportup(") == []


def test_many_conditions_end() -> None:
    code = ";for i=1,60 do if country('US') then x=1 end end return ifportup(1,{'192.0.2.1'})"
    assert found(code) == [("192.0.2.1", 1, "")]


def test_failures_are_told_with_how_many_ways_met_them() -> None:
    code = b";if country('US') then return ifportup(1,{'192.0.2.1'}) end error('no place')"
    explored = Discovery(EngineSettings()).explore(code, QUERY, lambda _name: None)
    assert (explored.ways, explored.failed, len(explored.failures)) == (4, 2, 1)
    assert "no place" in str(explored.failures[0])


def test_code_that_does_not_compile_is_one_failure() -> None:
    explored = Discovery(EngineSettings()).explore(b"ifportup(", QUERY, lambda _name: None)
    assert [failure.kind for failure in explored.failures] == ["syntax"]
