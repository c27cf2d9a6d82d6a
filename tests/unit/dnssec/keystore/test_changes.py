"""Changes of the keystore: whole or not at all, one at a time, and told."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lzc.dnssec.key import KSK_FLAGS, SigningKey
from lzc.dnssec.keystore import changes
from lzc.dnssec.keystore.changes import AUDIT, COMMITTED, LOCK, PREPARING, REMOVED
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.dnssec.keystore.sealing import Secret
from lzc.dnssec.keystore.stepping import Wanted, take
from lzc.dnssec.life.phases import Intervals
from lzc.dnssec.life.steps import Step
from lzc.faults import InputError
from lzc.wire import name
from tests.patience import PATIENCE

ZONE = name.from_text("example.org.")
SECRET = Secret(key=bytes(range(32)))
NOW = 1_790_000_000
WRITING = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate"}
)
"""What Python tells of before it asks the system for it."""


def state_of(folder: Path) -> Any:
    """All that counts of a keystore: keys with their dates, as a reader has them."""
    store = Keystore(folder, lambda: SECRET)
    keys = [(key.tag, key.flags, key.timing, store.is_sealed(key)) for key in store.load(ZONE)]
    return keys, sorted(store.zones())


def log_of(folder: Path) -> list[dict[str, Any]]:
    file = folder / AUDIT
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def left_over(folder: Path) -> set[str]:
    """Files of the keystore that are no keys."""
    return {file.name for file in folder.iterdir() if not file.name.startswith("K")}


def generate(folder: Path) -> None:
    Keystore(folder).generate(ZONE, 15, FLAGS["ksk-zsk"], NOW + 10)


def step(step: Step, *, purge: bool = False) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        store = Keystore(folder)
        numbers = tuple((None, key.tag) for key in store.load(ZONE))
        wanted = Wanted(ZONE, numbers, step, NOW, force=True, purge=purge)
        take(store, wanted, NOW, Intervals())

    return run


def bring(folder: Path) -> None:
    """Import a key of another keystore, once that is made."""
    outside = folder.parent / "outside"
    if not outside.exists():
        Keystore(outside).generate(ZONE, 13, FLAGS["csk"], NOW)
    (file,) = outside.glob("*.private")
    Keystore(folder).import_file(ZONE, file, NOW)


def seal(folder: Path, *, sealed: bool = True) -> None:
    store = Keystore(folder, lambda: SECRET)
    with store.changing(NOW, "seal") as change:
        tags = store.seal(change, ZONE, sealed=sealed)
        change.tell(name.to_text(ZONE), tags, "sealed")


def unseal(folder: Path) -> None:
    seal(folder, sealed=False)


def killed_at(count: int, run: Callable[[Path], None], folder: Path) -> bool:
    """Run it in a process that is killed before it asks for the next change of files for so many
    times; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = count

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event not in WRITING or not str(arguments[0]).startswith(str(folder)):
                return
            flags = arguments[2] if event == "open" else os.O_RDWR
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
            left -= 1
            if left < 0:
                os._exit(9)

        code = 1
        try:
            sys.addaudithook(hook)
            run(folder)
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 9


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(generate, id="generate"),
        pytest.param(bring, id="import"),
        pytest.param(seal, id="encrypt"),
        pytest.param(unseal, id="decrypt"),
        pytest.param(step(Step.PUBLISH), id="publish"),
        pytest.param(step(Step.ACTIVATE), id="activate"),
        pytest.param(step(Step.RETIRE), id="retire"),
        pytest.param(step(Step.REVOKE), id="revoke"),
        pytest.param(step(Step.REMOVE), id="remove"),
        pytest.param(step(Step.REMOVE, purge=True), id="purge"),
    ],
)
def test_whoever_is_killed_leaves_the_keys_as_before_or_after(
    tmp_path: Path, run: Callable[[Path], None]
) -> None:
    seen = set()
    for count in range(200):
        folder = tmp_path / f"keys{count}"
        generate(folder)
        if run is unseal:
            seal(folder)
        before, told = state_of(folder), len(log_of(folder))
        was_killed = killed_at(count, run, folder)
        after = state_of(folder)
        is_made = after != before
        seen.add(is_made)
        # Whoever changes the keystore next finishes what was begun.
        with changes.changing(folder, NOW, "next") as change:
            assert state_of(folder) == after
            change.put("Kother.example.+015+00001.key", "")
        assert state_of(folder)[0] == after[0]
        assert left_over(folder) - {REMOVED} == {LOCK, AUDIT}
        assert len(log_of(folder)) == told + is_made
        if not was_killed:
            assert is_made
            break
    else:
        pytest.fail("it never came to its end")
    assert seen == {True, False}
    assert count > 8


def test_what_was_committed_counts_before_its_files_are_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "keys"
    generate(folder)
    store = Keystore(folder)
    before = state_of(folder)
    with monkeypatch.context() as patch:
        patch.setattr(changes, "finish", lambda _: None)
        take(store, Wanted(ZONE, ((None, before[0][0][0]),), Step.REMOVE, NOW, True), NOW, LONG)
    assert (folder / COMMITTED).is_dir()
    assert state_of(folder)[0] == before[0][1:]
    made = SigningKey.make(ZONE, 15, KSK_FLAGS, store.load(ZONE)[0].private)
    with monkeypatch.context() as patch:
        patch.setattr(changes, "finish", lambda _: None)
        with pytest.raises(InputError):
            store.add(replace(made, tag=1))  # two changes cannot be under way
    store.generate(ZONE, 15, FLAGS["csk"], NOW)
    assert left_over(folder) == {LOCK, AUDIT, REMOVED}


LONG = Intervals()


def test_a_change_that_raises_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with changes.changing(tmp_path, NOW, "test") as change:
            change.put("Kexample.org.+015+00001.key", "text")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    assert left_over(tmp_path) == {LOCK}


def test_a_damaged_plan_is_told_and_nothing_goes_on(tmp_path: Path) -> None:
    generate(tmp_path)
    (tmp_path / COMMITTED).mkdir()
    (tmp_path / COMMITTED / "plan").write_text("{")
    for work in (lambda: Keystore(tmp_path).load(ZONE), lambda: generate(tmp_path)):
        with pytest.raises(InputError) as error:
            work()
        assert error.value.faults[0].rule == "keystore-damaged"


def test_what_somebody_left_who_was_killed_before_is_removed(tmp_path: Path) -> None:
    generate(tmp_path)
    (tmp_path / PREPARING).mkdir()
    (tmp_path / PREPARING / "0").write_text("half")
    generate(tmp_path)
    assert left_over(tmp_path) == {LOCK, AUDIT}


def test_the_log_says_who_did_what_when(tmp_path: Path) -> None:
    store = Keystore(tmp_path)
    (key,) = store.generate(ZONE, 15, FLAGS["csk"], NOW, command="lzc keys generate example.org")
    (entry,) = log_of(tmp_path)
    assert len(entry.pop("change")) == 16
    assert entry.pop("user")
    entry.pop("sudo-user", None)
    assert entry == {
        "time": "2026-09-21T14:13:20Z",
        "uid": os.getuid(),
        "command": "lzc keys generate example.org",
        "zone": "example.org.",
        "tags": [key.tag],
        "did": "generated",
    }
    assert (tmp_path / AUDIT).stat().st_mode & 0o777 == 0o600


def test_half_a_line_of_the_log_is_made_whole(tmp_path: Path) -> None:
    generate(tmp_path)
    with (tmp_path / AUDIT).open("a") as file:
        file.write('{"time": "20')
    generate(tmp_path)
    assert [entry["did"] for entry in log_of(tmp_path)] == ["generated", "generated"]


def test_readers_learn_which_zones_were_changed(tmp_path: Path) -> None:
    store = Keystore(tmp_path)
    begin = store.told_until()
    assert (begin, store.changed_zones(begin)) == (0, (set(), 0))
    generate(tmp_path)
    zones, until = store.changed_zones(begin)
    assert zones == {ZONE}
    assert store.changed_zones(until) == (set(), until)
    other = name.from_text("example.net.")
    store.generate(other, 15, FLAGS["csk"], NOW)
    assert store.changed_zones(until)[0] == {other}
    (tmp_path / AUDIT).write_text("not a line of it\n")  # begun anew
    assert store.changed_zones(until) == (set(), 17)


def _generate_many(folder: Path, count: int) -> None:
    for _ in range(count):
        Keystore(folder).generate(ZONE, 15, FLAGS["ksk-zsk"], NOW)


def test_many_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_generate_many, args=(folder, 5)) for _ in range(4)]
    for child in children:
        child.start()
    # Readers see pairs only, whenever they look.
    while any(child.is_alive() for child in children):
        keys = Keystore(folder).load(ZONE)
        assert sum(key.is_sep for key in keys) * 2 == len(keys)
    for child in children:
        child.join(PATIENCE)
        assert child.exitcode == 0
    keys = Keystore(folder).load(ZONE)
    assert len(keys) == 40
    assert len({key.tag for key in keys} | {key.revoked().tag for key in keys}) == 80
    assert len(log_of(folder)) == 20
    assert left_over(folder) == {LOCK, AUDIT}


def test_what_root_makes_belongs_to_the_owner_of_the_keystore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose server is to read it, and who changes keys the next time."""
    folder = tmp_path / "keys"
    folder.mkdir(0o700)
    owner = os.getuid(), os.getgid()
    if owner[0] == 0:
        owner = 12345, 12346
        for one in (tmp_path, folder):
            os.chown(one, *owner)
    given: list[tuple[int, int]] = []
    give = os.fchown

    def fchown(file: int, user: int, group: int) -> None:
        given.append((user, group))
        give(file, user, group)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", fchown)
    before = os.umask(0)
    try:
        generate(folder)
        step(Step.REMOVE)(folder)
        generate(folder)
    finally:
        os.umask(before)
    made = [one.stat() for one in folder.rglob("*")]
    assert len(given) > len(made) > 10
    assert {(one.st_uid, one.st_gid) for one in made} == set(given) == {owner}
    assert {one.st_mode & 0o077 for one in made} == {0}


def test_a_keystore_in_new_folders_is_in_nobody_elses_reach(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        generate(tmp_path / "a" / "b" / "keys")
    finally:
        os.umask(before)
    modes = [(tmp_path / one).stat().st_mode & 0o777 for one in ("a", "a/b", "a/b/keys")]
    assert modes == [0o755, 0o755, 0o700]
