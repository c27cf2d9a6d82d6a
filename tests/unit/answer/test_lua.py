"""Answers from LUA records, as PowerDNS gives them."""

from pathlib import Path

import dns.edns
import dns.message
import pytest

from lzc.wire.name import from_text
from tests.unit.answering import CLIENT, HEAD, World, lines, rcode

ORG = (
    HEAD
    + """\
$TTL 30
www A 192.0.2.1
one LUA A "192.0.2.11"
several LUA A "192.0.2.11" " 192.0.2.12"
merged LUA A "192.0.2.11"
merged LUA A "192.0.2.12 192.0.2.11"
types LUA A "192.0.2.13"
types LUA AAAA "2001:db8::13"
types LUA MX "fail"
ttls 40 LUA A "192.0.2.17"
ttls 50 LUA AAAA "2001:db8::17"
plain TXT "static"
plain LUA A "192.0.2.14"
text LUA TXT "qname who subnet"
quote LUA TXT "a\\"b"
long LUA TXT "{long}"
broken LUA A "fail"
wrong LUA A "2001:db8::1"
partly LUA A "192.0.2.1 nonsense"
none LUA A "empty"
cname LUA CNAME "www.example.org"
twocnames LUA CNAME "www.example.org one.example.org"
dead LUA CNAME "nowhere.example.org"
chain LUA CNAME "cname.example.org"
tolua LUA CNAME "one.example.org"
relative LUA CNAME "www"
loop LUA CNAME "loop.example.org"
badcname LUA CNAME "fail"
nocname LUA CNAME "empty"
*.wild LUA A "192.0.2.15"
*.wild LUA TXT "qname"
*.wildcname LUA CNAME "www.example.org"
config LUA LUA "192.0.2.16"
user LUA A "include config"
outside LUA A "include config.example.net."
mx LUA MX "www.example.org"
ptr LUA PTR "www.example.org"
""".format(long="y" * 400).replace(
        'long LUA TXT "' + "y" * 400, 'long LUA TXT "' + "y" * 200 + '" "' + "y" * 200
    )
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("bundle")
    net = HEAD + 'config LUA LUA "192.0.2.99"\n'
    return World(folder, {"example.org.": ORG, "example.net.": net}, blanks=False)


@pytest.mark.parametrize(
    ("name", "qtype", "found"),
    [
        ("one", "A", ["A 192.0.2.11"]),
        ("several", "A", ["A 192.0.2.11", "A 192.0.2.12"]),
        ("merged", "A", ["A 192.0.2.11", "A 192.0.2.12"]),
        ("types", "A", ["A 192.0.2.13"]),
        ("types", "AAAA", ["AAAA 2001:db8::13"]),
        ("plain", "TXT", ['TXT "static"']),
        ("plain", "A", ["A 192.0.2.14"]),
        ("long", "TXT", [f'TXT "{"y" * 255}" "{"y" * 145}"']),
        ("x.wild", "A", ["A 192.0.2.15"]),
        ("x.y.wild", "TXT", ['TXT "x.y.wild.example.org."']),
        ("user", "A", ["A 192.0.2.16"]),
        ("ptr", "PTR", ["PTR www.example.org."]),
    ],
)
def test_the_results_are_the_rrset(world: World, name: str, qtype: str, found: list[str]) -> None:
    answer = world.ask(f"{name}.example.org", qtype)
    assert rcode(answer) == "NOERROR"
    assert lines(answer.answer) == [f"{name}.example.org. 30 {line}" for line in found]


@pytest.mark.difference("D-9")
@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(
    "name", ["broken", "wrong", "partly", "quote", "badcname", "mx", "outside"]
)
def test_errors_and_results_that_do_not_parse_are_servfail(
    world: World, name: str, tcp: bool
) -> None:
    qtype = {"quote": "TXT", "mx": "MX"}.get(name, "A")
    answer = world.ask(f"{name}.example.org", qtype, tcp=tcp)
    assert rcode(answer) == "SERVFAIL"
    assert not answer.answer


def test_each_type_at_a_name_has_its_own_ttl(world: World) -> None:
    assert lines(world.ask("ttls.example.org", "A").answer) == ["ttls.example.org. 40 A 192.0.2.17"]
    assert lines(world.ask("ttls.example.org", "AAAA").answer) == [
        "ttls.example.org. 50 AAAA 2001:db8::17"
    ]


def test_one_type_that_fails_does_not_disturb_another(world: World) -> None:
    assert rcode(world.ask("types.example.org", "MX")) == "SERVFAIL"
    assert rcode(world.ask("types.example.org", "TXT")) == "NOERROR"


@pytest.mark.parametrize("name", ["none", "nocname"])
def test_an_empty_list_is_nodata(world: World, name: str) -> None:
    answer = world.ask(f"{name}.example.org")
    assert rcode(answer) == "NOERROR"
    assert not answer.answer
    assert lines(answer.authority)[0].startswith("example.org. 300 SOA")


@pytest.mark.difference("D-11")
def test_the_type_lua_is_never_answered(world: World) -> None:
    for name in ("one", "config"):
        answer = world.ask(f"{name}.example.org", "TYPE65402")
        assert rcode(answer) == "NOERROR"
        assert not answer.answer


def test_code_that_is_only_included_gives_nodata(world: World) -> None:
    assert not world.ask("config.example.org").answer
    assert not world.ask("config.example.org", "ANY").answer


@pytest.mark.parametrize("qtype", ["A", "TXT", "MX", "SRV"])
def test_a_lua_cname_answers_every_type(world: World, qtype: str) -> None:
    answer = world.ask("cname.example.org", qtype)
    assert lines(answer.answer)[0] == "cname.example.org. 30 CNAME www.example.org."
    assert (len(lines(answer.answer)) == 2) is (qtype == "A")


def test_a_lua_cname_is_followed_through_lua_and_static_records(world: World) -> None:
    assert lines(world.ask("chain.example.org").answer) == [
        "chain.example.org. 30 CNAME cname.example.org.",
        "cname.example.org. 30 CNAME www.example.org.",
        "www.example.org. 30 A 192.0.2.1",
    ]
    assert lines(world.ask("tolua.example.org").answer) == [
        "one.example.org. 30 A 192.0.2.11",
        "tolua.example.org. 30 CNAME one.example.org.",
    ]
    assert lines(world.ask("x.wildcname.example.org").answer)[1].startswith("x.wildcname")


def test_a_lua_cname_to_nowhere_is_nxdomain(world: World) -> None:
    assert rcode(world.ask("dead.example.org")) == "NXDOMAIN"


@pytest.mark.difference("D-10")
def test_a_name_has_one_cname_even_if_a_list_is_returned(world: World) -> None:
    for qtype in ("CNAME", "A"):
        answer = world.ask("twocnames.example.org", qtype)
        found = [line for line in lines(answer.answer) if " CNAME " in line]
        assert found == ["twocnames.example.org. 30 CNAME www.example.org."]


def test_results_are_absolute_names(world: World) -> None:
    answer = world.ask("relative.example.org", "CNAME")
    assert lines(answer.answer) == ["relative.example.org. 30 CNAME www."]


def test_a_lua_cname_loop_ends(world: World) -> None:
    assert len(lines(world.ask("loop.example.org").answer)) == 1


def test_any_runs_lua_records(world: World) -> None:
    udp = world.ask("merged.example.org", "ANY")
    assert len(lines(udp.answer)) == 2
    tcp = world.ask("plain.example.org", "ANY", tcp=True)
    assert {rrset.rdtype.name for rrset in tcp.answer} == {"A", "TXT"}


def test_the_record_learns_who_asks(world: World) -> None:
    subnet = dns.edns.ECSOption("203.0.113.0", 24)
    answer = world.ask("text.example.org", "TXT", options=[subnet], tcp=True)
    assert 'text.example.org. 30 TXT "198.51.100.7"' in lines(answer.answer)
    context = world.engine.contexts[-1]
    assert context.who == CLIENT
    assert context.subnet == (bytes((203, 0, 113, 0)), 24)
    assert context.zone == from_text("example.org.")
    assert context.tcp is True
    assert context.edns_size == 1232
    world.ask("text.example.org", "TXT", with_edns=False)
    context = world.engine.contexts[-1]
    assert context.subnet is None
    assert context.tcp is False
    assert context.edns_size == 0


def test_the_record_sees_the_name_in_the_case_it_was_asked(world: World) -> None:
    world.ask("OnE.eXample.org")
    assert world.engine.contexts[-1].qname == from_text("OnE.eXample.org.")


@pytest.mark.difference("D-38")
@pytest.mark.parametrize(
    ("name", "scope"),
    [("one", 24), ("cname", 24), ("x.wild", 24), ("none", 24), ("www", 0), ("nx", 0)],
)
def test_the_ecs_scope_is_the_source_prefix_where_lua_ran(
    world: World, name: str, scope: int
) -> None:
    answer = world.ask(f"{name}.example.org", options=[dns.edns.ECSOption("203.0.113.0", 24)])
    option = answer.options[0]
    assert isinstance(option, dns.edns.ECSOption)
    assert (option.srclen, option.scopelen) == (24, scope)


def test_an_answer_from_lua_is_not_cacheable(world: World) -> None:
    for name, cacheable in (("one", False), ("cname", False), ("none", False), ("www", True)):
        query = dns.message.make_query(f"{name}.example.org", "A")
        response = world.send(query.to_wire())
        assert response is not None
        assert response.cacheable is cacheable


@pytest.mark.difference("D-12")
def test_with_lua_off_names_exist_and_have_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, {"example.org.": ORG}, lua=False)
    for name in ("one", "cname", "x.wild"):
        answer = world.ask(f"{name}.example.org")
        assert rcode(answer) == "NOERROR"
        assert not answer.answer
    assert not world.engine.contexts


def test_strings_are_joined_as_the_setting_says(tmp_path: Path) -> None:
    text = HEAD + 'j 60 LUA TXT "a" "b"\n'
    with_blanks = World(tmp_path / "1", {"example.org.": text})
    assert len(lines(with_blanks.ask("j.example.org", "TXT").answer)) == 2
    without = World(
        tmp_path / "2",
        {"example.org.": text},
        blanks=False,
    )
    assert lines(without.ask("j.example.org", "TXT").answer) == ['j.example.org. 60 TXT "ab"']


def test_a_cname_that_is_not_given_leaves_the_answer_to_others(tmp_path: Path) -> None:
    """As on PowerDNS 4.7 to 5.1."""
    text = HEAD + 'e 40 LUA CNAME "empty"\ne 40 LUA A "192.0.2.5"\n'
    world = World(tmp_path, {"example.org.": text})
    answer = world.ask("e.example.org")
    assert lines(answer.answer) == ["e.example.org. 40 A 192.0.2.5"]
    assert not world.ask("e.example.org", "CNAME").answer
    assert not world.ask("e.example.org", "TXT").answer


def test_an_soa_record_of_lua_at_the_apex_is_not_asked(tmp_path: Path) -> None:
    """As on PowerDNS 4.7 to 5.1."""
    world = World(tmp_path, {"example.org.": HEAD + '@ 34 LUA SOA "empty"\n'})
    (record,) = world.ask("example.org", "SOA").answer
    assert record.ttl != 34
    assert not world.engine.contexts


@pytest.mark.difference("D-45")
def test_the_lowest_ttl_of_several_records_counts(tmp_path: Path) -> None:
    text = HEAD + 's 30 LUA A "192.0.2.1"\ns 60 LUA A "192.0.2.1"\n'
    world = World(tmp_path, {"example.org.": text})
    assert lines(world.ask("s.example.org").answer) == ["s.example.org. 30 A 192.0.2.1"]
