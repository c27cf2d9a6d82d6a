"""States of a running server, or of one that is to start, in which lzc names a command. As in
`told_building`."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.query
import dns.rcode

from lzc.bundle import current, manifest
from tests.patience import PATIENCE
from tests.unit.command_line import HEAD
from tests.unit.following import CONFIG, ZONE, Operator, told, wait_until
from tests.unit.serve.test_crashing_bundle import CRASH
from tests.unit.told_building import Text, live
from tests.unit.told_commands import commands
from tests.unit.told_keys import date_files, date_keys, heirs, lose_the_keys

HASTY = """
from lzc.serve.health import admission
from lzc.serve.notify import zone_at_secondary
from lzc.serve.worker import serving

admission.SETTLED = serving.RETRY = 0.1
zone_at_secondary.GATHER = 0.1
"""
"""Has a server not wait for seconds before it looks or asks again."""
MANY = 22
"""Zones, of which a server names less."""


def no_server(operator: Operator, text: Text) -> None:
    operator.project()
    operator.follow("lzc ctl status", text)


def second_server(operator: Operator, text: Text) -> None:
    operator.project()
    operator.succeed("lzc serve")

    def stop(_: str) -> None:
        operator.servers.pop().stop()
        operator.servers.pop().stop()

    operator.hands["stop it"] = stop
    operator.follow("lzc serve", text)


def serving(operator: Operator, text: Text) -> None:
    """A server runs, and the text is to be in what a reload says, and later no more."""
    operator.succeed("lzc serve")
    operator.follow("lzc ctl reload", text)


def keys_gone(operator: Operator, text: Text) -> None:
    """The way out that is a build, which leads on."""
    operator.project()
    operator.succeed("lzc serve")
    lose_the_keys(operator)
    operator.follow("lzc ctl reload", text, way=1)


def keys_not_copied(operator: Operator, text: Text) -> None:
    """The way out that is to copy them."""
    operator.project()
    operator.succeed("lzc serve")
    kept = operator.folder / "kept"
    (operator.folder / "keys").rename(kept)

    def bring(_: str) -> None:
        kept.rename(operator.folder / "keys")

    operator.hands["copy the keys"] = bring
    operator.follow("lzc ctl reload", text)


def keys_inactive(operator: Operator, text: Text) -> None:
    operator.project()
    operator.succeed("lzc serve")
    date_keys(operator, "Inactive", -1)
    operator.follow("lzc ctl reload", text)


def keys_inactive_that_are_right(operator: Operator, text: Text) -> None:
    operator.project()
    operator.succeed("lzc serve")
    date_keys(operator, "Inactive", -1)
    operator.follow("lzc ctl reload", text, way=1)


def keys_that_took_over(operator: Operator, text: Text) -> None:
    """The key of the bundle is retired, another is active that it lacks."""
    heirs(operator)
    operator.succeed("lzc serve")
    for file in operator.folder.glob("keys/K*.private"):
        retiring = "Inactive" in file.read_text()
        date_files(
            operator, {"Inactive": -1} if retiring else {"Publish": -1, "Activate": -1}, file
        )
    operator.follow("lzc ctl reload", text)


def keys_that_take_over(operator: Operator, text: Text) -> None:
    """As in a bundle that was built before the key was there."""
    heirs(operator)
    for file in operator.folder.glob("keys/K*.private"):
        if "Inactive" not in file.read_text():
            date_files(operator, {"Publish": -1}, file)
    operator.succeed("lzc serve")
    operator.follow("lzc ctl status", text)


def keys_ending(operator: Operator, text: Text) -> None:
    operator.project()
    date_keys(operator, "Inactive", 5)
    operator.succeed("lzc serve")
    operator.follow("lzc ctl status", text)
    assert f"lzc keys ds {ZONE}" in operator.done


def keys_ending_that_are_right(operator: Operator, text: Text) -> None:
    operator.project()
    date_keys(operator, "Inactive", 5)
    operator.succeed("lzc serve")
    operator.follow("lzc ctl status", text, way=1)
    assert len([*operator.folder.glob("keys/K*.private")]) == 1


def serials_fell(operator: Operator, text: Text) -> None:
    """An older bundle was made live by hand."""
    operator.project()
    first = live(operator).name
    operator.append("more A 192.0.2.2\n")
    operator.succeed("lzc build")
    operator.succeed("lzc serve")
    current.switch(operator.folder / "build", first)
    operator.follow("lzc ctl status", text)
    assert "192.0.2.2" in operator.succeed(f"lzc query more.{ZONE}")


def nothing_live(operator: Operator, text: Text) -> None:
    """What says which bundle is live was removed."""
    operator.project()
    operator.succeed("lzc serve")
    (operator.folder / "build" / "current").unlink()
    operator.follow("lzc ctl status", text)
    assert "NOTHING IS LIVE" not in operator.succeed("lzc ctl status")


def keys_of_many(operator: Operator, text: Text) -> None:
    """More than the log names."""
    operator.write("inject.py", HASTY)
    (operator.folder / "zones").mkdir()
    names = [f"z{number}.example" for number in range(MANY)]
    signed = "".join(f'[zone."{name}"]\ndnssec = true\n' for name in names)
    operator.write("lzc.toml", CONFIG.partition("[zone")[0] + signed)
    for name in names:
        operator.write(f"zones/{name}.zone", HEAD)
        operator.succeed(f"lzc keys generate {name}")
    operator.succeed("lzc build")
    keys, kept = operator.folder / "keys", operator.folder / "kept"
    keys.rename(kept)
    operator.succeed("lzc serve")
    (server,) = operator.servers
    wait_until(lambda: text.search(server.text))
    (command,) = commands(told(server.text, text))
    said = operator.succeed(f"{command} --format json")
    assert {one["zone"].rstrip(".") for one in json.loads(said)["keys"]} == {*names}
    kept.rename(keys)
    wait_until(lambda: not json.loads(operator.succeed(f"{command} --format json"))["keys"])


def foreign_bundle(operator: Operator) -> str:
    """Somebody has put another in the place of the live bundle; its id."""
    folder = live(operator)
    document = json.loads((folder / manifest.MANIFEST).read_bytes()) | {"lzc": "foreign"}
    encoded = manifest.Manifest(
        manifest.read(folder)[0].files, document["lzc"], document["inputs"]
    ).encode()
    made = folder.with_name(manifest.bundle_id(encoded))
    shutil.copytree(folder, made)
    (made / manifest.MANIFEST).chmod(0o644)
    (made / manifest.MANIFEST).write_bytes(encoded)
    return made.name


def crashing_bundle(operator: Operator, text: Text) -> None:
    """By both ways out: a build, and a bundle before it."""
    operator.project()
    before = live(operator).name
    foreign = foreign_bundle(operator)
    operator.write("inject.py", CRASH)
    operator.write("build/crashes", f"SIGBUS\nopen:{foreign}")
    current.switch(operator.folder / "build", foreign)
    operator.follow("lzc serve", text)
    for server in operator.servers:
        server.stop()
    shutil.rmtree(operator.folder / "build" / foreign, ignore_errors=True)
    foreign = foreign_bundle(operator)
    current.switch(operator.folder / "build", foreign)

    def link(words: str) -> None:
        (command,) = [one for one in commands(words) if "BUNDLE" in one]
        operator.succeed(command.replace("BUNDLE", before))

    operator.hands["ln -sfn BUNDLE"] = link
    operator.follow("lzc serve", text, way=1)


def crashing_new_bundle(operator: Operator, text: Text) -> None:
    """While another is served."""
    operator.project()
    operator.write("inject.py", CRASH)
    operator.write("build/crashes", "SIGBUS")
    operator.succeed("lzc serve")
    foreign = foreign_bundle(operator)
    operator.write("build/crashes", f"SIGBUS\nopen:{foreign}")
    current.switch(operator.folder / "build", foreign)
    operator.follow("lzc ctl status", text)


@contextmanager
def secondary(accepts: threading.Event) -> Iterator[int]:
    """Answers NOTIFY, with REFUSED until it accepts them; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                wire, client = sock.recvfrom(65535)
                if not wire:
                    return
                reply = dns.message.make_response(dns.message.from_wire(wire))
                reply.flags |= dns.flags.AA
                if not accepts.is_set():
                    reply.set_rcode(dns.rcode.REFUSED)
                sock.sendto(reply.to_wire(), client)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", sock.getsockname())
            thread.join()


def refused_notify(operator: Operator, text: Text) -> None:
    operator.write("inject.py", HASTY)
    accepts = threading.Event()
    with secondary(accepts) as port:
        operator.project(
            config=CONFIG.replace("[serve]", "[serve]\ntsig-required = false")
            + f'[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:{port}"\n'
        )
        operator.succeed("lzc serve")
        (server,) = operator.servers
        wait_until(lambda: text.search(server.text))
        words = told(server.text, text)
        assert "secondary ns2" in words
        (command,) = commands(words)
        assert "REFUSED" in operator.succeed(command)
        accepts.set()
        operator.change("lzc.toml", "[serve]", '[serve]\nnotify-source = ["127.0.0.1"]')
        operator.servers.pop().stop()
        operator.succeed("lzc serve")
        wait_until(lambda: "REFUSED" not in operator.succeed(command))


def not_checked(operator: Operator, text: Text) -> None:
    """A check of an address that a query makes up."""
    operator.write("inject.py", HASTY)
    operator.project(
        "l 60 IN LUA A \"ifportup(80, {'127.0.0.' .. (1 + #qname:toString() * 0)})\"\n"
    )
    operator.succeed("lzc serve")
    (server,) = operator.servers
    query = dns.message.make_query(f"l.{ZONE}", "A")
    dns.query.udp(query, "127.0.0.1", port=server.port, timeout=PATIENCE)
    wait_until(lambda: text.search(operator.succeed("lzc ctl status")))
    (command,) = commands(told(operator.succeed("lzc ctl status"), text))
    assert "127.0.0.1 is loopback" in operator.succeed(command)


def settings_changed(operator: Operator, text: Text) -> None:
    operator.project()
    operator.succeed("lzc serve")
    listens = 'listen = ["127.0.0.1:0"'
    operator.change("lzc.toml", listens, listens + ', "[::1]:0"')

    def restart(_: str) -> None:
        operator.servers.pop().stop()

    operator.hands["has to be started again"] = restart
    operator.follow("lzc ctl reload", text)
    assert operator.done == ["lzc serve"]


def settings_broken(operator: Operator, text: Text) -> None:
    operator.project()
    operator.succeed("lzc serve")
    operator.change("lzc.toml", "[serve]", "[serve]\nworkers = 0")

    def correct(_: str) -> None:
        operator.change("lzc.toml", "workers = 0", "workers = 1")
        operator.servers.pop().stop()

    operator.hands["cannot be used"] = correct
    operator.follow("lzc ctl reload --socket build/control.sock", text)
