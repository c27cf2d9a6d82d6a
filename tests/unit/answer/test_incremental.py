"""IXFR (RFC 1995): what changed since a client's serial, and the whole zone wherever that is not
known for sure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring
import dns.xfr
import dns.zone
import pytest

from lzc import config
from lzc.answer import incremental
from lzc.answer.responder import Responder
from lzc.answer.settings import ResponderSettings
from lzc.answer.transfer import TransferPlan, client_serial, open_transfer
from lzc.answer.transfer_access import Grant, TransferAccess
from lzc.answer.transfer_kinds import Kind, Sent
from lzc.bundle import current, delta_store
from lzc.bundle.delta_store import DeltaStore
from lzc.bundle.reader import Bundle
from lzc.compiler.pipeline import BuildResult, build
from lzc.compiler.rollback import RolledBack, roll_back
from lzc.wire.message import parse_message, parse_query
from lzc.wire.name import from_text
from lzc.wire.tsig import TsigKey, TsigStream, sign

NOW = 1_800_000_000.0
ZONE = "example.org"
APEX = from_text("example.org.")
HERE = bytes((127, 0, 0, 1))
KEY = TsigKey(from_text("k.example."), "hmac-sha256", bytes(32))
LOOPBACK = (ip_network("127.0.0.0/8"),)
POWERDNS = Grant(None, LOOPBACK, ("*",), software="powerdns-5.1")
OPEN = TransferAccess((POWERDNS,), LOOPBACK, False)
CLOSED = TransferAccess((), (ip_network("127.0.0.0/8"),), True)
HEAD = "$TTL 60\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n"
PADDING = "".join(f'p{number} TXT "{"x" * 80}"\n' for number in range(40))
"""So that the whole zone is longer than what changes in it."""

Rows = set[tuple[str, int, str, str]]


class World:
    """A project of one zone that is built again and again, and what a secondary gets of it."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder = folder
        self.output = folder / "build"
        self.now = NOW
        (folder / "zones").mkdir(parents=True)
        (folder / "lzc.toml").write_text(
            f'[build]\nsources = ["zones/*.zone"]\n{settings}\n[lua]\nenable = true\n'
        )

    @property
    def config(self) -> config.Config:
        return config.load(self.folder / "lzc.toml")

    def write(self, text: str, name: str = ZONE) -> None:
        # In another file: times may not tell two changes in one moment.
        path = self.folder / "zones" / f"{name}.zone"
        path.unlink(missing_ok=True)
        path.write_text(HEAD + PADDING + text)

    def build(self, text: str | None = None) -> BuildResult:
        if text is not None:
            self.write(text)
        self.now += 1
        return build(self.config, self.output, now=self.now)

    def roll_back(self, wanted: str | None = None, *, as_is: bool = False) -> RolledBack:
        self.now += 1
        return roll_back(self.config, wanted, self.now, as_is=as_is)

    def serial(self) -> int:
        with current.open_live(self.output) as bundle:
            view = bundle.zone(APEX)
            assert view is not None
            return view.info.serial

    def deltas(self) -> list[Path]:
        return delta_store.files(self.output)

    def opened(self) -> Bundle:
        return current.open_live(self.output)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "project")


def request(serial: int | None, *, name: str = ZONE, edns: int = -1) -> bytes:
    query = dns.message.make_query(name, "AXFR" if serial is None else "IXFR", use_edns=edns)
    query.flags = dns.flags.Flag(0)
    if serial is not None:
        text = f"ns1. h. {serial} 1 1 1 1"
        query.authority.append(dns.rrset.from_text(f"{name}.", 0, "IN", "SOA", text))
    return query.to_wire()


def opened(bundle: Bundle, serial: int | None, access: TransferAccess = OPEN) -> TransferPlan:
    plan = open_transfer(bundle, access, {KEY.name: KEY}, request(serial), HERE, NOW)
    assert isinstance(plan, TransferPlan)
    return plan


def taken(plan: TransferPlan) -> list[bytes]:
    """The messages that are sent."""
    messages = [framed[2:] for framed in plan.messages() if framed]
    plan.close()
    return messages


def rows(zone: dns.zone.Zone) -> Rows:
    return {
        (name.to_text(), ttl, dns.rdatatype.to_text(rdata.rdtype), rdata.to_text())
        for name, ttl, rdata in zone.iterate_rdatas()
    }


class Secondary:
    """One that applies what it gets as dnspython does."""

    def __init__(self) -> None:
        self.zone = dns.zone.Zone(ZONE, relativize=False)
        self.serial: int | None = None

    def refresh(self, bundle: Bundle) -> Kind:
        """Get the zone, or what changed in it; what was sent."""
        plan = opened(bundle, self.serial)
        kind = dns.rdatatype.AXFR if self.serial is None else dns.rdatatype.IXFR
        with dns.xfr.Inbound(self.zone, kind, self.serial) as inbound:
            done = False
            for wire in taken(plan):
                message = dns.message.from_wire(wire, xfr=True, one_rr_per_rrset=True)
                assert not done
                done = inbound.process_message(message)
            assert done
        self.serial = plan.serial
        return plan.kind


def whole(bundle: Bundle) -> Rows:
    other = Secondary()
    other.refresh(bundle)
    return rows(other.zone)


def test_a_change_is_sent_as_a_change(world: World) -> None:
    secondary = Secondary()
    world.build("a A 192.0.2.1\nb A 192.0.2.1\n")
    with world.opened() as bundle:
        assert secondary.refresh(bundle) is Kind.AXFR
    world.build("a A 192.0.2.2\nc A 192.0.2.1\n")
    with world.opened() as bundle:
        plan = opened(bundle, secondary.serial)
        (wire,) = taken(plan)
        assert plan.kind is Kind.IXFR
        kinds = [(one.owner, one.rrtype) for one in parse_message(wire).answer]
        a, b, c = (from_text(f"{label}.example.org.") for label in "abc")
        soa = (APEX, 6)
        assert kinds == [soa, soa, (a, 1), (b, 1), soa, (a, 1), (c, 1), soa]
        assert parse_message(wire).flags == 0x8400
        assert secondary.refresh(bundle) is Kind.IXFR
        assert rows(secondary.zone) == whole(bundle)


CODES = (
    "pickrandom({'192.0.2.1', '192.0.2.%d'})",
    ";return {'192.0.2.%d'} -- " + "long " * 80,
    "ifportup(443, {'192.0.2.1', '192.0.2.%d'})",
)


def test_a_small_change_is_one_answer_and_the_next_who_asks_costs_no_disk(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.build("www A 192.0.2.1\n")
    serial = world.serial()
    world.build("www A 192.0.2.2\n")
    with world.opened() as bundle:
        [message] = taken(opened(bundle, serial))
        # Nobody could open a file any more.
        monkeypatch.setattr(incremental, "DeltaFile", None)
        for _ in range(2):
            plan = opened(bundle, serial)
            assert plan.kind is Kind.IXFR
            # But for the ID, which is that of the request.
            assert (plan.at_once() or b"")[2:] == message[2:]
            plan.close()


def test_a_change_of_more_than_one_message_is_no_answer_at_once(world: World) -> None:
    world.build("a A 192.0.2.1\n")
    serial = world.serial()
    world.build("".join(f"x{n} A 192.0.2.1\n" for n in range(2000)))
    with world.opened() as bundle:
        for asked in (serial, None):
            plan = opened(bundle, asked)
            assert plan.at_once() is None
            assert taken(plan)


@pytest.mark.parametrize("cut", range(12, 69, 3))
def test_an_soa_that_is_not_whole_has_no_serial(cut: int) -> None:
    wire = request(2**31 + 5)
    assert client_serial(parse_query(wire)) == 2**31 + 5
    query = parse_query(wire)._replace(wire=wire[:cut])
    assert client_serial(query) is None


def test_what_is_kept_in_memory_has_a_bound(tmp_path: Path) -> None:
    store = DeltaStore(tmp_path)
    for serial in range(100):
        store.keep((b"", serial, 1000), bytes(1 << 16))
        assert sum(map(len, store.kept.values())) <= 1 << 20
    assert [serial for _, serial, _ in store.kept] == [*range(84, 100)]
    store.keep((b"", 100, 1000), bytes(1 << 20))
    assert (b"", 100, 1000) not in store.kept


def random_text(chance: random.Random) -> str:
    """A zone of which parts are as they were before."""
    lines = []
    for label in ("@", "a", "b", "deep.er", "*.w", "MiXed"):
        if chance.random() < 0.8:
            ttl = chance.choice((60, 60, 90))
            lines += [
                f"{label} {ttl} A 192.0.2.{number}"
                for number in chance.sample(range(1, 5), chance.randrange(1, 4))
            ]
        if chance.random() < 0.5:
            name = chance.choice(("mail", "Mail", "MAIL.example.net."))
            lines.append(f"{label} MX 10 {name}")
    for label in ("l", "l2", "l3"):
        if chance.random() < 0.7:
            code = chance.choice(CODES) % chance.randrange(1, 5)
            lines.append(f'{label} {chance.choice((5, 10))} LUA A "{code}"')
    if chance.random() < 0.4:
        lines += [f'many{number} TXT "{"y" * 200}"' for number in range(chance.randrange(200))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(6))
def test_secondaries_of_any_age_have_the_zone_as_it_is(world: World, seed: int) -> None:
    chance = random.Random(seed)
    secondaries = [Secondary() for _ in range(4)]
    kinds = set()
    for step in range(25):
        if chance.random() < 0.1 and step > 2:
            world.roll_back()
        else:
            world.build(random_text(chance))
        with world.opened() as bundle:
            expected = whole(bundle)
            for lazy, secondary in enumerate(secondaries):
                if step % (lazy + 1) or secondary.serial == world.serial():
                    continue
                kinds.add(secondary.refresh(bundle))
                assert rows(secondary.zone) == expected
    assert {Kind.AXFR, Kind.IXFR} <= kinds


def test_several_changes_are_one_without_what_came_and_went(world: World) -> None:
    secondary = Secondary()
    texts = ["a A 192.0.2.1\n", "a A 192.0.2.2\n", "b A 192.0.2.9\na A 192.0.2.3\n"]
    texts.append("a A 192.0.2.4\n")
    for number, text in enumerate(texts):
        world.build(text)
        if not number:
            with world.opened() as bundle:
                secondary.refresh(bundle)
    with world.opened() as bundle:
        (wire,) = taken(opened(bundle, secondary.serial))
        shown = [(one.rrtype, one.rdata[-4:]) for one in parse_message(wire).answer]
        assert [kind for kind, _ in shown] == [6, 6, 1, 6, 1, 6]
        assert [rdata for kind, rdata in shown if kind == 1] == [b"\xc0\0\2\1", b"\xc0\0\2\4"]
        secondary.refresh(bundle)
        assert rows(secondary.zone) == whole(bundle)


def test_large_changes_come_one_behind_the_other_in_full_messages(world: World) -> None:
    def text(letter: str, count: int) -> str:
        return "".join(f'h{number} TXT "{letter * 200}"\n' for number in range(count))

    still = text("s", 4000).replace("h", "still")
    world.build(still + text("a", 500))
    secondary = Secondary()
    with world.opened() as bundle:
        secondary.refresh(bundle)
    world.build(still + text("b", 500))
    world.build(still + text("c", 500))
    with world.opened() as bundle:
        plan = opened(bundle, secondary.serial, OPEN)
        messages = taken(plan)
        assert plan.kind is Kind.IXFR
        answers = [parse_message(wire).answer for wire in messages]
        assert sum(one.rrtype == 6 for answer in answers for one in answer) == 6
        assert len(answers[0]) > 1
        assert all(len(wire) > 60000 for wire in messages[:-1])
        assert len(messages) > 4
        assert secondary.refresh(bundle) is Kind.IXFR
        assert rows(secondary.zone) == whole(bundle)


def test_the_first_message_has_two_records_though_the_next_one_fills_a_message(
    world: World,
) -> None:
    huge = " ".join(['"' + "z" * 255 + '"'] * 240)
    padding = "".join(f'q{number} TXT "{"q" * 250}"\n' for number in range(600))
    world.build(padding)
    before = world.serial()
    world.build(f"a TXT {huge}\n" + padding)
    with world.opened() as bundle:
        answers = [parse_message(wire).answer for wire in taken(opened(bundle, before))]
        assert len(answers[0]) >= 2
        kinds = [one.rrtype for answer in answers for one in answer]
        assert kinds == [6, 6, 6, 16, 6]
    world.build(padding)
    with world.opened() as bundle:
        answers = [parse_message(wire).answer for wire in taken(opened(bundle, world.serial() - 1))]
        assert len(answers[0]) >= 2
        assert [one.rrtype for answer in answers for one in answer] == [6, 6, 16, 6, 6]


def test_every_message_is_signed(world: World) -> None:
    many = "".join(f'h{number} TXT "{"x" * 200}"\n' for number in range(1500))
    world.build(many)
    before = world.serial()
    world.build("".join(f'h{number} TXT "{"y" * 200}"\n' for number in range(600)) + many)
    query, mac = sign(request(before), KEY, NOW)
    with world.opened() as bundle:
        plan = open_transfer(bundle, CLOSED, {KEY.name: KEY}, query, HERE, NOW)
        assert isinstance(plan, TransferPlan)
        stream = TsigStream(KEY, mac)
        messages = taken(plan)
    assert len(messages) > 2
    for wire in messages:
        (signature,) = parse_message(wire).additional
        unsigned = wire[:10] + b"\0\0" + wire[12 : signature.offset]
        assert stream.sign(unsigned, NOW) == wire


def test_a_whole_zone_comes_where_it_is_shorter(tmp_path: Path) -> None:
    world = World(tmp_path / "project")
    path = world.folder / "zones" / f"{ZONE}.zone"
    path.write_text(HEAD)
    world.build()
    before = world.serial()
    path.unlink()
    path.write_text(HEAD + "a A 192.0.2.1\n")
    world.build()
    with world.opened() as bundle:
        assert opened(bundle, before).kind is Kind.WHOLE


@pytest.mark.parametrize("serial", [1, 4_000_000_000])
def test_a_serial_that_never_was_gets_the_whole_zone(world: World, serial: int) -> None:
    world.build("a A 192.0.2.1\n")
    world.build("a A 192.0.2.2\n")
    if (serial - world.serial()) & 0xFFFFFFFF < 2**31:
        serial = world.serial() - 100
    with world.opened() as bundle:
        assert opened(bundle, serial).kind is Kind.WHOLE


def damaged(path: Path, offset: int) -> None:
    octets = bytearray(path.read_bytes())
    octets[offset] ^= 1
    path.write_bytes(octets)


@pytest.mark.parametrize("where", ["magic", "count", "head", "entry", "delta", "cut", "empty"])
def test_a_damaged_delta_is_never_sent_and_is_told(world: World, where: str) -> None:
    world.build("a A 192.0.2.1\n")
    before = world.serial()
    world.build("a A 192.0.2.2\n")
    (path,) = world.deltas()
    if where == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif where == "empty":
        path.write_bytes(b"")
    else:
        damaged(path, {"magic": 3, "count": 23, "head": 30, "entry": 120, "delta": -9}[where])
    with world.opened() as bundle:
        plan = opened(bundle, before)
        taken(plan)
        assert plan.kind is Kind.WHOLE
        assert bundle.deltas.problems
        assert str(path) in bundle.deltas.problems[0]
        bundle.deltas.problems.clear()
        assert opened(bundle, before).kind is Kind.WHOLE
        assert not bundle.deltas.problems
    # Nor does it keep the next build from anything.
    later = world.serial()
    assert world.build("a A 192.0.2.3\n").warnings == []
    with world.opened() as bundle:
        assert opened(bundle, later).kind is Kind.IXFR
        assert opened(bundle, before).kind is Kind.WHOLE


def test_a_large_delta_that_is_damaged_gives_way_to_the_zone_before_the_first_octet(
    world: World,
) -> None:
    still = "".join(f's{number} TXT "{"s" * 200}"\n' for number in range(6000))
    world.build(still)
    before = world.serial()
    world.build(still + "".join(f'h{n} TXT "{"x" * 200}"\n' for n in range(2000)))
    (path,) = world.deltas()
    damaged(path, path.stat().st_size - 5)
    with world.opened() as bundle:
        plan = opened(bundle, before)
        kinds = [plan.kind]
        messages = taken(plan)
        kinds.append(plan.kind)
        assert kinds == [Kind.IXFR, Kind.WHOLE]
        first, last = parse_message(messages[0]), parse_message(messages[-1])
        assert first.answer[0].rrtype == last.answer[-1].rrtype == 6
        total = sum(len(parse_message(wire).answer) for wire in messages)
        assert total == 8000 + 40 + 4
        assert bundle.deltas.problems


def test_history_goes_on_after_a_rollback_and_after_one_as_it_is(world: World) -> None:
    secondary, late = Secondary(), Secondary()
    first = world.build("a A 192.0.2.1\n")
    with world.opened() as bundle:
        late.refresh(bundle)
    world.build("a A 192.0.2.2\n")
    with world.opened() as bundle:
        secondary.refresh(bundle)
    world.roll_back(first.id)
    with world.opened() as bundle:
        assert secondary.refresh(bundle) is Kind.IXFR
        assert late.refresh(bundle) is Kind.IXFR
        assert rows(secondary.zone) == rows(late.zone) == whole(bundle)
    third = world.build("a A 192.0.2.3\n")
    with world.opened() as bundle:
        secondary.refresh(bundle)
    world.build("a A 192.0.2.4\n")
    world.roll_back(third.id, as_is=True)
    with world.opened() as bundle:
        assert late.refresh(bundle) is Kind.IXFR
        assert rows(late.zone) == whole(bundle)
    # What is live is not what was given out last, which others may have.
    last = world.serial() + 1
    world.build("a A 192.0.2.5\n")
    with world.opened() as bundle:
        assert world.serial() == last + 1
        assert opened(bundle, last).kind is Kind.WHOLE
        assert secondary.refresh(bundle) is Kind.WHOLE
        assert rows(secondary.zone) == whole(bundle)


def test_a_zone_that_was_away_is_sent_whole(world: World) -> None:
    world.write("", "example.net")
    world.build("a A 192.0.2.1\n")
    before = world.serial()
    path = world.folder / "zones" / f"{ZONE}.zone"
    text = path.read_text()
    path.unlink()
    world.build()
    path.write_text(text + "b A 192.0.2.1\n")
    world.build()
    with world.opened() as bundle:
        assert world.serial() == before + 1
        assert opened(bundle, before).kind is Kind.WHOLE


def test_a_zone_that_fails_keeps_its_history(tmp_path: Path) -> None:
    world = World(tmp_path / "project", "keep-last-good = true")
    world.write("", "example.net")
    world.build("a A 192.0.2.1\n")
    before = world.serial()
    world.build("a A 192.0.2.2\n")
    world.write("x A 192.0.2.1\n", "example.net")
    assert world.build("a A 192.0.2.2.2\n").kept
    with world.opened() as bundle:
        assert opened(bundle, before).kind is Kind.IXFR
    world.build("a A 192.0.2.3\n")
    with world.opened() as bundle:
        (wire,) = taken(opened(bundle, before))
        assert [one.rrtype for one in parse_message(wire).answer] == [6, 6, 1, 6, 1, 6]


def test_so_many_builds_and_octets_are_kept_as_are_wanted(tmp_path: Path) -> None:
    world = World(tmp_path / "project", "ixfr-builds = 3")
    serials = []
    for number in range(6):
        world.build(f"a A 192.0.2.{number}\n")
        serials.append(world.serial())
    assert len(world.deltas()) == 3
    with world.opened() as bundle:
        kinds = [opened(bundle, serial).kind for serial in serials[:-1]]
    assert kinds == [Kind.WHOLE, Kind.WHOLE, Kind.IXFR, Kind.IXFR, Kind.IXFR]
    size = world.deltas()[0].stat().st_size
    toml = world.folder / "lzc.toml"
    toml.write_text(toml.read_text().replace("builds = 3", f"octets = {2 * size + 10}"))
    world.build("a A 192.0.2.77\n")
    assert len(world.deltas()) == 2
    toml.write_text(toml.read_text().replace(f"octets = {2 * size + 10}", "builds = 0"))
    world.build("a A 192.0.2.78\n")
    assert world.deltas() == []


def test_a_serial_with_two_contents_is_no_beginning(tmp_path: Path) -> None:
    world = World(tmp_path / "project", 'serial = "keep"')
    path = world.folder / "zones" / f"{ZONE}.zone"

    def write(serial: int, text: str) -> None:
        path.unlink(missing_ok=True)
        path.write_text(HEAD.replace("ster 1 ", f"ster {serial} ") + PADDING + text)

    write(7, "a A 192.0.2.1\n")
    live = world.output / world.build().id
    # Nothing of it but the serial can be told any more, and it is built with other content.
    (world.output / "serials").unlink()
    (world.output / "serials.copy").unlink()
    damaged(live / "zones-00.lmdb", -100)
    (world.output / ".verified" / live.name).unlink()
    write(7, "a A 192.0.2.2\n")
    world.build()
    write(8, "a A 192.0.2.3\n")
    world.build()
    with world.opened() as bundle:
        assert opened(bundle, 7).kind is Kind.WHOLE
    write(9, "a A 192.0.2.4\n")
    world.build()
    with world.opened() as bundle:
        assert opened(bundle, 8).kind is Kind.IXFR
        assert opened(bundle, 7).kind is Kind.WHOLE


def test_a_serial_that_two_files_know_otherwise_is_no_beginning(world: World) -> None:
    world.build("a A 192.0.2.1\n")
    before = world.serial()
    world.build("a A 192.0.2.2\n")
    # As if all but the deltas had been lost, and serials had begun anew.
    for path in world.output.iterdir():
        if path.name != delta_store.FOLDER:
            path.rename(world.folder / path.name)
    world.build("a A 192.0.2.8\n")
    assert world.serial() == before
    world.build("a A 192.0.2.9\n")
    assert len(world.deltas()) == 2
    with world.opened() as bundle:
        assert opened(bundle, before).kind is Kind.WHOLE


def test_a_build_of_which_the_deltas_cannot_be_written_goes_live(world: World) -> None:
    world.build("a A 192.0.2.1\n")
    before = world.serial()
    (world.output / delta_store.FOLDER).write_text("in the way")
    (fault,) = world.build("a A 192.0.2.2\n").warnings
    assert fault.rule == "deltas-unwritable"
    assert world.serial() == before + 1
    with world.opened() as bundle:
        assert opened(bundle, before).kind is Kind.WHOLE


def test_a_live_bundle_that_is_damaged_gives_no_delta_and_stops_no_build(world: World) -> None:
    world.build("a A 192.0.2.1\n")
    before = world.serial()
    damaged(world.output / "current" / "transfers-00.bin", 300)
    world.build("a A 192.0.2.2\n")
    assert world.serial() == before + 1
    with world.opened() as bundle:
        assert opened(bundle, before).kind is Kind.WHOLE


# Over UDP


def responder(bundle: Bundle, sent: list[Sent], access: TransferAccess = OPEN) -> Responder:
    settings = ResponderSettings(access=access, tsig_keys={KEY.name: KEY})
    return Responder(bundle, settings, {}, None, sent=sent.append)


def over_udp(
    bundle: Bundle, query: bytes, access: TransferAccess = OPEN
) -> tuple[bytes, list[Sent]]:
    sent: list[Sent] = []
    found = responder(bundle, sent, access).respond(query, HERE, NOW, tcp=False)
    assert found is not None
    assert not found.cacheable
    return found.wire, sent


@pytest.fixture
def changed(world: World) -> Iterator[tuple[Bundle, int]]:
    """A bundle, and the serial before it."""
    world.build("a A 192.0.2.1\n")
    before = world.serial()
    world.build("a A 192.0.2.2\n")
    with world.opened() as bundle:
        yield bundle, before


def test_a_small_change_goes_over_udp(changed: tuple[Bundle, int]) -> None:
    bundle, before = changed
    wire, sent = over_udp(bundle, request(before))
    message = parse_message(wire)
    assert [one.rrtype for one in message.answer] == [6, 6, 1, 6, 1, 6]
    assert message.flags == 0x8400
    assert [one.kind for one in sent] == [Kind.IXFR]
    reading = dns.message.from_wire(wire, xfr=True, one_rr_per_rrset=True)
    assert len(reading.answer) == 6


def test_a_change_that_does_not_fit_is_the_soa_alone(world: World) -> None:
    world.build("")
    before = world.serial()
    world.build("".join(f"h{number} A 192.0.2.2\n" for number in range(15)))
    with world.opened() as bundle:
        wire, sent = over_udp(bundle, request(before))
        assert [one.rrtype for one in parse_message(wire).answer] == [6]
        assert not sent
        wire, _ = over_udp(bundle, request(before, edns=0))
        assert len(parse_message(wire).answer) == 19
        assert [one.rrtype for one in parse_message(wire).additional] == [41]


def test_a_signed_change_leaves_room_for_the_signature(world: World) -> None:
    world.build("")
    before = world.serial()
    for count in range(1, 16):
        world.build("".join(f"h{number} A 192.0.2.2\n" for number in range(count)))
        query, mac = sign(request(before), KEY, NOW)
        with world.opened() as bundle:
            wire, _ = over_udp(bundle, query, CLOSED)
        assert len(wire) <= 512
        ring = dns.tsigkeyring.from_text({"k.example.": ("hmac-sha256", "A" * 43 + "=")})
        key = ring[dns.name.from_text("k.example.")]
        assert mac
        message = parse_message(wire)
        assert message.additional[-1].rrtype == 250
        assert key.name is not None
        assert len(message.answer) in (1, count + 4)
    assert len(message.answer) == 1


def test_who_is_up_to_date_or_may_not_have_it_gets_the_soa_over_udp(
    changed: tuple[Bundle, int],
) -> None:
    bundle, before = changed
    wire, sent = over_udp(bundle, request(before + 1))
    assert [one.rrtype for one in parse_message(wire).answer] == [6]
    assert [one.kind for one in sent] == [Kind.UP_TO_DATE]
    found = responder(bundle, [], CLOSED).respond(request(before), HERE, NOW, tcp=False)
    assert found is not None
    assert [one.rrtype for one in parse_message(found.wire).answer] == [6]
