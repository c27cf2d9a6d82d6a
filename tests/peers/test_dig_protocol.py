"""The corners of the protocol, as dig sees them."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.patience import PATIENCE
from tests.peers._peers import find, require
from tests.peers._peers.process import LOOPBACK
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET, Project


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    require("dig")
    project = Project(tmp_path_factory.mktemp("dig"))
    project.generate_keys()
    big = " ".join(f'"{letter * 200}"' for letter in "abcdefgh")
    project.append("example.com", f"big TXT {big}")
    project.build()
    with project.serve():
        yield project.port


class Reply(NamedTuple):
    """What dig printed: status, flags, and the lines of the whole output."""

    status: str
    flags: set[str]
    text: str


def dig(port: int, *arguments: str) -> Reply:
    program = find("dig")
    assert program is not None
    done = subprocess.run(
        [
            program,
            f"@{LOOPBACK}",
            "-p",
            str(port),
            "+tries=1",
            f"+time={PATIENCE:.0f}",
            "+norec",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    status = re.search(r"status: (\w+)", done.stdout)
    flags = re.search(r";; flags: ([a-z ]*);", done.stdout)
    return Reply(
        status[1] if status else "",
        set(flags[1].split()) if flags else set(),
        done.stdout,
    )


QUESTION = b"\x04www2\x07example\x03com\x00\x00\x01\x00\x01"
LATER = struct.pack("!6H", 0x7777, 0, 1, 0, 0, 0) + QUESTION


def exchange(port: int, message: bytes) -> bytes | None:
    """What comes before the answer to a later question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(PATIENCE)
        udp.sendto(message, (LOOPBACK, port))
        udp.sendto(LATER, (LOOPBACK, port))
        first = udp.recv(65535)
        return None if first[:2] == LATER[:2] else first


def test_an_answer_is_authoritative_and_offers_no_recursion(port: int) -> None:
    reply = dig(port, "www2.example.com", "A")
    assert (reply.status, reply.flags) == ("NOERROR", {"qr", "aa"})
    assert re.search(r"^www2\.example\.com\.\s+3600\s+IN\s+A\s+192\.0\.2\.12$", reply.text, re.M)


def test_recursion_desired_is_copied_and_not_offered(port: int) -> None:
    assert dig(port, "+rec", "www2.example.com", "A").flags == {"qr", "aa", "rd"}


def test_checking_disabled_is_copied(port: int) -> None:
    assert "cd" in dig(port, "+cd", "www2.example.com", "A").flags


def test_the_case_of_the_question_comes_back(port: int) -> None:
    assert "wWw2.ExAmPlE.cOm." in dig(port, "wWw2.ExAmPlE.cOm", "A").text


def test_a_name_outside_of_every_zone_is_refused(port: int) -> None:
    assert dig(port, "www.example.edu", "A").status == "REFUSED"
    assert dig(port, ".", "NS").status == "REFUSED"


def test_a_query_without_edns_gets_an_answer_without(port: int) -> None:
    assert "OPT PSEUDOSECTION" not in dig(port, "+noedns", "www2.example.com", "A").text


def test_an_unknown_edns_version_is_badvers(port: int) -> None:
    reply = dig(port, "+edns=1", "+noednsnegotiation", "www2.example.com", "A")
    assert reply.status == "BADVERS"
    assert "version: 0" in reply.text


def test_unknown_edns_flags_and_options_are_ignored(port: int) -> None:
    reply = dig(port, "+ednsflags=0x0040", "+ednsopt=100:abcd", "www2.example.com", "A")
    assert reply.status == "NOERROR"
    assert "MBZ" not in reply.text and "OPT=100" not in reply.text


def test_nsid_is_told_when_asked_for(port: int) -> None:
    assert '("example")' in dig(port, "+nsid", "www2.example.com", "A").text
    assert "NSID" not in dig(port, "www2.example.com", "A").text


def test_cookies_are_made_and_accepted(port: int) -> None:
    first = dig(port, "+cookie=0123456789abcdef", "www2.example.com", "A")
    cookie = re.search(r"COOKIE: ([0-9a-f]{48})", first.text)
    assert cookie and cookie[1].startswith("0123456789abcdef")
    second = dig(port, f"+cookie={cookie[1]}", "www2.example.com", "A")
    assert second.status == "NOERROR" and "(good)" in second.text


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that wants cookies for answers of over 300 octets."""
    require("dig")
    project = Project(tmp_path_factory.mktemp("limited"))
    settings = project.config.read_text().replace("[serve]\n", "[serve]\nrequire-cookie = 300\n")
    project.config.write_text(settings)
    project.generate_keys()
    project.append("example.com", f'big TXT "{"a" * 200}" "{"b" * 200}"')
    project.build()
    with project.serve():
        yield project.port


@pytest.mark.parametrize(
    ("cookie", "remark"),
    [
        ("+cookie", "BADCOOKIE, retrying"),
        ("+cookie=0123456789abcdef", "BADCOOKIE, retrying"),
        ("+cookie=0123456789abcdef0100000000000000aaaaaaaaaaaaaaaa", "BADCOOKIE, retrying"),
        ("+nocookie", "Truncated, retrying in TCP mode"),
    ],
)
def test_clients_find_their_way_to_an_answer_that_needs_a_cookie(
    limited: int, cookie: str, remark: str
) -> None:
    reply = dig(limited, cookie, "+dnssec", "big.example.com", "TXT")
    assert reply.status == "NOERROR"
    assert remark in reply.text
    assert "a" * 200 in reply.text


def test_a_server_cookie_is_asked_for_once(limited: int) -> None:
    first = dig(limited, "+cookie=0123456789abcdef", "+nobadcookie", "big.example.com", "TXT")
    assert (first.status, first.flags) == ("BADCOOKIE", {"qr"})
    cookie = re.search(r"COOKIE: ([0-9a-f]{48}) \(good\)", first.text)
    assert cookie
    for name in ("big.example.com", "ns1.example.com"):
        second = dig(limited, f"+cookie={cookie[1]}", name, "ANY")
        assert second.status == "NOERROR"
        assert "retrying" not in second.text


def test_client_subnet_scopes(port: int) -> None:
    """Static data is the same for all (scope 0); a LUA answer is for the subnet that asked."""
    static = dig(port, "+subnet=192.0.2.0/24", "static.example.org", "A")
    assert "CLIENT-SUBNET: 192.0.2.0/24/0" in static.text
    lua = dig(port, "+subnet=192.0.2.0/24", "country.det.example.org", "A")
    assert "CLIENT-SUBNET: 192.0.2.0/24/24" in lua.text
    assert "192.0.2.41" in lua.text


def test_a_large_answer_is_truncated_over_udp_and_whole_over_tcp(port: int) -> None:
    cut = dig(port, "+ignore", "+bufsize=512", "big.example.com", "TXT")
    assert "tc" in cut.flags
    assert len(re.findall("aaaa", cut.text)) == 0
    whole = dig(port, "+tcp", "big.example.com", "TXT")
    assert "tc" not in whole.flags
    assert "h" * 200 in whole.text


def test_any_over_udp_is_one_rrset(port: int) -> None:
    """RFC 8482 §4.1."""
    udp = dig(port, "+notcp", "+ignore", "example.com", "ANY")
    types = set(re.findall(r"^example\.com\.\s+\d+\s+IN\s+(\w+)", udp.text, re.M))
    assert udp.status == "NOERROR" and len(types) == 1
    tcp = dig(port, "+tcp", "example.com", "ANY")
    types = set(re.findall(r"^example\.com\.\s+\d+\s+IN\s+(\w+)", tcp.text, re.M))
    assert {"SOA", "NS", "A", "MX", "CAA"} <= types


def test_chaos_answers_who_and_what(port: int) -> None:
    assert '"lzc"' in dig(port, "version.bind", "CH", "TXT").text
    assert dig(port, "example.com", "CH", "TXT").status == "REFUSED"


def test_a_signed_answer_only_when_asked_for(port: int) -> None:
    assert "RRSIG" in dig(port, "+dnssec", "static.example.org", "A").text
    assert "RRSIG" not in dig(port, "static.example.org", "A").text


def test_lua_code_is_not_to_be_had(port: int) -> None:
    for rrtype in ("TYPE65402", "ANY"):
        reply = dig(port, "+tcp", "country.det.example.org", rrtype)
        assert reply.status == "NOERROR"
        assert "65402" not in reply.text.split("QUESTION SECTION")[1].partition("\n\n")[2]
        assert "country(" not in reply.text


def test_a_dname_gives_the_cname_it_stands_for(port: int) -> None:
    text = dig(port, "web.old.example.com", "A").text
    assert re.search(r"^old\.example\.com\.\s+3600\s+IN\s+DNAME\s+new\.example\.com\.$", text, re.M)
    assert re.search(r"^web\.old\.example\.com\.\s+3600\s+IN\s+CNAME\s+web\.new\.", text, re.M)
    assert "192.0.2.11" in text


def test_a_referral_is_not_authoritative_and_brings_its_glue(port: int) -> None:
    reply = dig(port, "www.sub.example.net", "A")
    assert (reply.status, reply.flags) == ("NOERROR", {"qr"})
    assert {"203.0.113.53", "203.0.113.54", "2001:db8:3::53"} <= set(reply.text.split())


def test_an_empty_non_terminal_exists(port: int) -> None:
    assert dig(port, "b.ent.example.net", "A").status == "NOERROR"
    assert dig(port, "c.ent.example.net", "A").status == "NXDOMAIN"


def test_a_transfer_needs_the_key(port: int) -> None:
    key = f"hmac-sha256:{TSIG_NAME}:{TSIG_SECRET}"
    assert "Transfer failed" in dig(port, "example.com", "AXFR").text
    whole = dig(port, "-y", key, "example.com", "AXFR").text
    assert len(re.findall(r"\sSOA\s", whole)) == 2
    assert "TSIG" in whole and "NOERROR" in whole


def test_ixfr_gives_the_whole_zone_or_says_that_nothing_changed(port: int) -> None:
    key = f"hmac-sha256:{TSIG_NAME}:{TSIG_SECRET}"
    old = dig(port, "-y", key, "+tcp", "example.com", "IXFR=1").text
    assert "host-7.example.com." in old
    serial = re.search(r"SOA\s+\S+\s+\S+\s+(\d+)", old)
    assert serial is not None
    current = dig(port, "-y", key, "+tcp", "example.com", f"IXFR={serial[1]}").text
    assert len(re.findall(r"\sSOA\s", current)) == 1


def test_opcodes_that_are_not_served_are_notimp(port: int) -> None:
    assert dig(port, "+opcode=status", "example.com", "SOA").status == "NOTIMP"
    assert dig(port, "+opcode=7", "example.com", "SOA").status == "NOTIMP"


def test_two_questions_are_a_format_error(port: int) -> None:
    """RFC 9619."""
    reply = exchange(port, struct.pack("!6H", 1, 0, 2, 0, 0, 0) + QUESTION * 2)
    assert reply is not None and reply[3] & 15 == 1


def test_a_response_gets_no_answer(port: int) -> None:
    """Else two servers could answer each other for ever."""
    assert exchange(port, struct.pack("!6H", 1, 0x8000, 1, 0, 0, 0) + QUESTION) is None


def test_less_than_a_header_gets_no_answer(port: int) -> None:
    assert exchange(port, b"\x00\x01\x00\x00\x00\x01") is None


def test_queries_in_one_tcp_connection_are_answered_each(port: int) -> None:
    """RFC 7766 §6.2.1.1: pipelining; answers may come in any order."""
    messages = [struct.pack("!6H", n, 0, 1, 0, 0, 0) + QUESTION for n in range(1, 21)]
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE) as tcp:
        tcp.sendall(b"".join(struct.pack("!H", len(m)) + m for m in messages))
        stream = tcp.makefile("rb")
        seen = set()
        for _ in messages:
            (length,) = struct.unpack("!H", stream.read(2))
            seen.add(struct.unpack("!H", stream.read(length)[:2])[0])
    assert seen == set(range(1, 21))


def test_a_tcp_query_may_come_octet_by_octet(port: int) -> None:
    message = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + QUESTION
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE) as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in struct.pack("!H", len(message)) + message:
            tcp.send(bytes((octet,)))
        stream = tcp.makefile("rb")
        (length,) = struct.unpack("!H", stream.read(2))
        assert stream.read(length)[:2] == b"\x00\x07"


def test_the_project_folder_shows_no_secret_in_the_log(tmp_path: Path) -> None:
    require("dig")
    project = Project(tmp_path)
    project.generate_keys()
    project.build()
    with project.serve() as server:
        dig(project.port, "-y", f"hmac-sha256:{TSIG_NAME}:{TSIG_SECRET}", "example.com", "AXFR")
        server.stop()
        assert TSIG_SECRET not in server.log_text()
