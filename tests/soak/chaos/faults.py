"""The faults. Each begins, lasts a while and ends; afterwards the server has to answer as if there
had been none, with nobody's help but the next build's."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dns.message
import dns.query
import dns.tsig

from lzc.serve.supervise.reload import POLL
from tests.attacks import connections, messages
from tests.bench.health_cell import question as bare_question
from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK
from tests.peers._peers.project import keyring
from tests.soak.chaos.model import Down
from tests.soak.chaos.probe import make
from tests.soak.chaos.secondaries import Secondary
from tests.soak.chaos.stage import Stage, Writer
from tests.soak.chaos.zones import HEAVY, TARGETS, ChaosZone, Question


@dataclass(frozen=True, slots=True)
class Scene:
    """What faults work on. ``length``: seconds that those which last do so at most."""

    stage: Stage
    writer: Writer
    secondaries: list[Secondary]
    health: Callable[[str, bool], None]
    chance: random.Random
    length: float

    def wait(self, least: float = 1.0, *, no_less: float = 0.0) -> None:
        """As long as a fault lasts; ``no_less`` also where all are short."""
        seconds = self.chance.uniform(min(least, self.length), self.length)
        time.sleep(max(seconds, no_less))

    def signed(self) -> ChaosZone:
        """A signed zone."""
        return self.chance.choice([one for one in self.stage.zones.values() if one.algorithm])


def worker_killed(scene: Scene) -> str:
    """SIGKILL."""
    pids = scene.stage.workers()
    if not pids:
        return "no worker"
    with contextlib.suppress(ProcessLookupError):
        os.kill(scene.chance.choice(pids), signal.SIGKILL)
    return ""


def worker_stopped(scene: Scene) -> str:
    """SIGSTOP, longer or shorter than the watchdog's patience."""
    pids = scene.stage.workers()
    if not pids:
        return "no worker"
    pid = scene.chance.choice(pids)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        scene.wait()
        os.kill(pid, signal.SIGCONT)
    return ""


def supervisor_killed(scene: Scene) -> str:
    """SIGKILL; it is started again."""
    scene.stage.kill_supervisor()
    scene.stage.wait_up()
    return f"down {scene.stage.ledger.down[-1].seconds:.2f} s"


def supervisor_stopped(scene: Scene) -> str:
    """SIGSTOP: workers answer on."""
    pid = scene.stage.pid
    os.kill(pid, signal.SIGSTOP)
    scene.wait()
    os.kill(pid, signal.SIGCONT)
    return ""


def build_killed(scene: Scene) -> str:
    """SIGKILL of a build and what it started, at any moment."""
    after = scene.chance.uniform(0.05, 1.1) * scene.stage.build_seconds
    done = scene.writer.cycle(kill_after=after, fail=True)
    return f"after {after:.2f} s{' (too late)' if done else ''}"


def room_gone(scene: Scene) -> str:
    """No file of a build may grow beyond some octets, as on a disk that is full."""
    room = scene.chance.choice((0, 1, 4096, 65536, 1 << 18, 1 << 20))
    with scene.stage.building:
        scene.writer.cycle(room=room, fail=True)
    return f"{room} octets"


def damaged(scene: Scene) -> str:
    """One octet of a file of the output folder is another. The file is replaced by the damaged one:
    what is mapped into memory stays as it is."""
    output = scene.stage.output
    with scene.stage.building:
        files = [one for one in output.rglob("*") if one.is_file() and one.stat().st_size]
        if not files:
            return "no file"
        file = scene.chance.choice(sorted(files))
        octets = bytearray(file.read_bytes())
        scene.stage.spoiled = (file, bytes(octets))
        at = scene.chance.randrange(len(octets))
        octets[at] ^= 1 << scene.chance.randrange(8)
        fresh = file.with_name(f"{file.name}.damaged")
        fresh.write_bytes(octets)
        shutil.copymode(file, fresh)
        fresh.rename(file)
    scene.wait()
    return f"octet {at} of {file.relative_to(output)}"


def rolled_back(scene: Scene) -> str:
    """``current`` leads to the bundle before."""
    stage = scene.stage
    with stage.building:
        live = os.readlink(stage.output / "current")
        older = [
            one for one in stage.ledger.known() if one != live and (stage.output / one).is_dir()
        ]
        if not older:
            return "no older bundle"
        stage.ledger.lower(older[-1])
        _lead(stage, older[-1])
        if problem := stage.reload():
            stage.ledger.find(f"after a rollback: {problem.splitlines()[0]}")
    scene.wait()
    return f"{live} to {older[-1]}"


def _takes_it(scene: Scene, bundle: str) -> str:
    """The server has to have a bundle by itself; the seconds it took."""
    begin = time.monotonic()
    if scene.stage.takes(bundle):
        return f"taken after {time.monotonic() - begin:.1f} s"
    scene.stage.ledger.find(
        f"{bundle} is live and good, and not taken: {scene.stage.last_words(1)}"
    )
    return "not taken"


def _at_a_new_bundle(scene: Scene, number: signal.Signals) -> str:
    """A worker meets a fault while a new bundle is loaded; nobody says ``lzc ctl reload``."""
    stage = scene.stage
    with stage.building:
        pids = stage.workers()
        before = os.readlink(stage.output / "current")
        scene.writer.edit()
        status, output = stage.build()
        live = os.readlink(stage.output / "current")
        if status or live == before or not pids:
            return f"no new bundle: {output.strip()}"
        # It is seen within half a second, and loaded in less.
        time.sleep(scene.chance.uniform(0.0, 0.7))
        pid = scene.chance.choice(pids)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            if number == signal.SIGSTOP:
                scene.wait()
                os.kill(pid, signal.SIGCONT)
        return _takes_it(scene, live)


def worker_killed_at_a_new_bundle(scene: Scene) -> str:
    """SIGKILL."""
    return _at_a_new_bundle(scene, signal.SIGKILL)


def worker_stopped_at_a_new_bundle(scene: Scene) -> str:
    """SIGSTOP."""
    return _at_a_new_bundle(scene, signal.SIGSTOP)


def folder_late(scene: Scene) -> str:
    """``current`` arrives before the folder it leads to, as in a copy."""
    stage = scene.stage
    with stage.building:
        live = os.readlink(stage.output / "current")
        older = rolled_back(scene).partition(" to ")[2]
        if not older:
            return "no older bundle"
        folder, away = stage.output / live, stage.folder / "away"
        folder.rename(away)
        _lead(stage, live)
        scene.wait()
        away.rename(folder)
        return _takes_it(scene, live)


def restarted(scene: Scene) -> str:
    """As an operator restarts it: SIGTERM, and it is started again."""
    stage = scene.stage
    starts = stage.starts
    stage.ledger.down.append(Down(time.monotonic()))
    os.kill(stage.pid, signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while stage.starts == starts and time.monotonic() < end:
        time.sleep(0.02)
    stage.wait_up()
    return f"down {stage.ledger.down[-1].seconds:.2f} s"


def _lead(stage: Stage, bundle: str) -> None:
    """Have ``current`` lead to it."""
    link = stage.output / "fresh-link"
    link.symlink_to(bundle)
    link.replace(stage.output / "current")


@contextlib.contextmanager
def _moved(scene: Scene, zone: ChaosZone, change: Callable[[Path], None]) -> Iterator[None]:
    """The files of a zone's key are changed while the block runs."""
    stage = scene.stage
    kept = stage.folder / "kept"
    with stage.ledger.lenient(), stage.ledger.excused([zone.name]):
        with stage.building:
            shutil.copytree(stage.keys, kept, dirs_exist_ok=True)
            for file in stage.keys.glob(f"K{zone.name}.+*"):
                change(file)
        try:
            yield
        finally:
            with stage.building:
                for file in kept.iterdir():
                    fresh = stage.folder / f"fresh-{file.name}"
                    shutil.copy2(file, fresh)
                    fresh.chmod(file.stat().st_mode)
                    fresh.replace(stage.keys / file.name)
                shutil.rmtree(kept)
                stage.reload()


def _without_key(scene: Scene, change: Callable[[Path], None]) -> str:
    zone = scene.signed()
    with _moved(scene, zone, change):
        scene.stage.reload()
        worker_killed(scene)
        scene.wait()
    return zone.name


def key_gone(scene: Scene) -> str:
    """A zone's key is removed; server and a new worker are without."""
    return _without_key(scene, Path.unlink)


def key_exposed(scene: Scene) -> str:
    """A zone's key is readable by all."""
    return _without_key(scene, lambda file: file.chmod(0o644))


def key_damaged(scene: Scene) -> str:
    """A zone's key is no key."""

    def change(file: Path) -> None:
        octets = bytearray(file.read_bytes())
        octets[len(octets) // 2] ^= 1
        file.write_bytes(octets)

    return _without_key(scene, change)


def key_expired(scene: Scene) -> str:
    """A zone's key is inactive and deleted since a year."""

    def change(file: Path) -> None:
        lines = file.read_text().splitlines()
        if file.suffix == ".private":
            lines = [one for one in lines if not one.startswith(("Inactive:", "Delete:"))]
            lines += ["Inactive: 20250101000000", "Delete: 20250201000000"]
        file.write_text("\n".join(lines) + "\n")

    return _without_key(scene, change)


def key_gone_at_restart(scene: Scene) -> str:
    """A zone's key is removed, and the supervisor killed: it has to come back without."""
    zone = scene.signed()
    with _moved(scene, zone, Path.unlink):
        supervisor_killed(scene)
        scene.wait()
    return zone.name


def keystore_open(scene: Scene) -> str:
    """Others may look into the keystore: signed zones have no keys."""
    stage = scene.stage
    signed = [one.name for one in stage.zones.values() if one.algorithm]
    with stage.ledger.lenient(), stage.ledger.excused(signed):
        stage.keys.chmod(0o755)
        stage.reload()
        worker_killed(scene)
        scene.wait()
        stage.keys.chmod(0o700)
        stage.reload()
    return ""


def _one_secondary(scene: Scene) -> Secondary:
    return scene.chance.choice(scene.secondaries)


def secondary_killed(scene: Scene, secondary: Secondary) -> str:
    """SIGKILL; it is started again some time later."""
    secondary.kill()
    scene.wait()
    secondary.start()
    return secondary.name


def secondary_stopped(scene: Scene, secondary: Secondary) -> str:
    """As an operator stops it and starts it again."""
    secondary.stop()
    scene.wait()
    secondary.start()
    return secondary.name


def secondary_paused(scene: Scene, secondary: Secondary) -> str:
    """SIGSTOP of all of its processes."""
    with secondary.paused():
        scene.wait()
    return secondary.name


@contextlib.contextmanager
def _unread_transfers(scene: Scene, count: int) -> Iterator[None]:
    """Connections that ask for the largest zone again and again, and read nothing of it."""
    zone = max(scene.stage.zones.values(), key=lambda one: one.bulk)
    socks = []
    try:
        for _ in range(count):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            socks.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(5)
            with contextlib.suppress(OSError):
                sock.connect((LOOPBACK, scene.stage.port))
                for _ in range(20):
                    query = dns.message.make_query(f"{zone.name}.", "AXFR")
                    query.use_tsig(keyring())
                    wire = query.to_wire()
                    sock.sendall(len(wire).to_bytes(2, "big") + wire)
        yield
    finally:
        for sock in socks:
            sock.close()


def transfer_unread(scene: Scene) -> str:
    """A secondary does not read its transfers."""
    with _unread_transfers(scene, 6):
        scene.wait()
    return ""


def transfer_unread_and_killed(scene: Scene) -> str:
    """The supervisor is killed while a transfer is not read."""
    with _unread_transfers(scene, 2):
        scene.wait()
        return supervisor_killed(scene)


def tcp_flood(scene: Scene) -> str:
    """Many connections, some that say nothing and some that ask without end."""
    port = scene.stage.port
    name = max(scene.stage.zones.values(), key=lambda one: one.bulk).name
    query = bare_question(1, "www", name)
    frames = (len(query).to_bytes(2, "big") + query) * 100
    with connections.bare(port, 400):
        pipelines = [connections.Pipeline(port, frames, 100) for _ in range(20)]
        try:
            connections.drive(pipelines, sustained=scene.length / 4, limit=scene.length)
        finally:
            for one in pipelines:
                one.sock.close()
    return f"{sum(one.answered for one in pipelines)} answers"


def malformed(scene: Scene) -> str:
    """Messages that no client sends."""
    count = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect((LOOPBACK, scene.stage.port))
        for count, (_, message) in enumerate(messages.messages(full=False), 1):
            with contextlib.suppress(OSError):
                udp.send(message)
            if count % 50 == 0:
                time.sleep(0.01)
    return f"{count} messages"


def geo_damaged(scene: Scene) -> str:
    """The geo database is replaced by a damaged one, and by a good one again."""
    stage = scene.stage
    good = stage.geo.read_bytes()
    at = scene.chance.randrange(len(good))
    with stage.ledger.lenient():
        for octets in (good[:at], good):
            fresh = stage.geo.with_suffix(".new")
            fresh.write_bytes(octets)
            fresh.rename(stage.geo)
            # The server looks by itself, twice a second.
            scene.wait(no_less=POLL + 0.1)
        stage.reload()
    return f"cut at {at}"


def control_crowd(scene: Scene) -> str:
    """A hundred commands to the control socket at once."""
    failed = []

    def one() -> None:
        if scene.stage.ask("status") is None:
            failed.append(1)

    threads = [threading.Thread(target=one) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        scene.stage.ledger.find(f"{len(failed)} of 100 ctl status at once are not answered")
    return ""


def reload_storm(scene: Scene) -> str:
    """Reloads, by command and by signal, one right after the other and many at once."""
    threads = [threading.Thread(target=scene.stage.ask, args=("reload",)) for _ in range(8)]
    for thread in threads:
        thread.start()
        os.kill(scene.stage.pid, signal.SIGHUP)
    for thread in threads:
        thread.join()
    return ""


def lua_heavy(scene: Scene) -> str:
    """Code that runs into its limits is asked for, again and again."""
    zone = next(one for one in scene.stage.zones.values() if one.heavy)
    end = time.monotonic() + scene.length
    count = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect((LOOPBACK, scene.stage.port))
        while time.monotonic() < end:
            for label, rrtype in HEAVY:
                with contextlib.suppress(OSError):
                    udp.send(make(Question(zone, label, rrtype), count & 0xFFFF, False).to_wire())
                count += 1
            time.sleep(0.01)
    return f"{count} queries"


def target_down(scene: Scene) -> str:
    """A target of health checks, or both."""
    chosen = scene.chance.sample(TARGETS, scene.chance.randint(1, len(TARGETS)))
    for address in chosen:
        scene.health(address, False)
    scene.wait()
    for address in chosen:
        scene.health(address, True)
    return ", ".join(chosen)


PRIMARY: Final[dict[str, Callable[[Scene], str]]] = {
    "worker killed": worker_killed,
    "worker stopped": worker_stopped,
    "supervisor killed": supervisor_killed,
    "supervisor stopped": supervisor_stopped,
    "restarted": restarted,
    "worker killed at a new bundle": worker_killed_at_a_new_bundle,
    "worker stopped at a new bundle": worker_stopped_at_a_new_bundle,
    "folder late": folder_late,
    "build killed": build_killed,
    "room gone": room_gone,
    "octet damaged": damaged,
    "rolled back": rolled_back,
    "key gone": key_gone,
    "key exposed": key_exposed,
    "key damaged": key_damaged,
    "key expired": key_expired,
    "key gone at restart": key_gone_at_restart,
    "keystore open": keystore_open,
    "transfer unread": transfer_unread,
    "killed with transfers unread": transfer_unread_and_killed,
    "TCP flood": tcp_flood,
    "malformed": malformed,
    "geo damaged": geo_damaged,
    "100 commands": control_crowd,
    "reload storm": reload_storm,
    "heavy Lua": lua_heavy,
    "target down": target_down,
}
"""Faults of the server and what it reads, one at a time."""

SECONDARY: Final[dict[str, Callable[[Scene, Secondary], str]]] = {
    "secondary killed": secondary_killed,
    "secondary stopped": secondary_stopped,
    "secondary paused": secondary_paused,
}
"""Faults of a secondary, beside the others."""
