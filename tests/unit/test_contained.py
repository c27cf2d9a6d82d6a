"""Work in a child process: what comes back, what does not, and what becomes of the rest."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lzc.contained import Begin, Contained, Ended, Home
from tests.patience import PATIENCE


def work(request: list[str], begin: Begin, home: Home) -> list[object]:
    found: list[object] = []
    for number, one in enumerate(request):
        begin(number)
        match one:
            case "endless":
                while True:
                    pass
            case "crash":
                signal.signal(signal.SIGSEGV, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGSEGV)
            case "wait":
                time.sleep(0.5)
            case "much":
                ctypes.create_string_buffer(2**33)
            case "wrong":
                raise ValueError("wrong")
            case "ask":
                found.append(home("who", number))
            case "pid":
                found.append(os.getpid())
        found.append(one)
    return found


@pytest.fixture
def child() -> Iterator[Contained[list[str], list[object]]]:
    made = Contained(work, seconds=0.2)
    yield made
    made.close()


def test_it_gives_what_the_work_gives_one_child_for_all(
    child: Contained[list[str], list[object]],
) -> None:
    first, _ = child.ask(["pid"])
    assert child.ask(["pid", "x"]) == [first, "pid", "x"]
    assert first != os.getpid()


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("endless", "it did not come back within 0.2 s of CPU time"),
        ("crash", "its process crashed (SIGSEGV)"),
    ],
)
def test_what_does_not_come_back_is_named_and_what_comes_after_goes_on(
    child: Contained[list[str], list[object]], what: str, why: str
) -> None:
    before, _ = child.ask(["pid"])
    with pytest.raises(Ended) as ended:
        child.ask(["a", "b", what, "c"])
    assert (ended.value.at, ended.value.why) == (2, why)
    assert not Path(f"/proc/{before}").exists()
    assert child.ask(["a", "b", "c"]) == ["a", "b", "c"]


def test_time_on_the_wall_is_no_limit(child: Contained[list[str], list[object]]) -> None:
    assert child.ask(["wait"]) == ["wait"]


def test_what_the_work_raises_is_raised(child: Contained[list[str], list[object]]) -> None:
    with pytest.raises(ValueError, match="wrong"):
        child.ask(["wrong"])
    with pytest.raises(MemoryError):
        child.ask(["much"])
    assert child.ask(["a"]) == ["a"]


def test_it_asks_the_parent(child: Contained[list[str], list[object]]) -> None:
    asked = []

    def home(*arguments: object) -> int:
        asked.append(arguments)
        return os.getpid()

    assert child.ask(["ask", "x", "ask"], home) == [os.getpid(), "ask", "x", os.getpid(), "ask"]
    assert asked == [("who", 0), ("who", 2)]


def test_a_child_goes_with_its_parent() -> None:
    ours, theirs = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = Contained(work)
        os.write(theirs, str(child.ask(["pid"])[0]).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    pid = int(os.read(ours, 100))
    end = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_fork_of_the_parent_asks_a_child_of_its_own(
    child: Contained[list[str], list[object]],
) -> None:
    first, _ = child.ask(["pid"])
    fork = os.fork()
    if fork == 0:
        code = 1
        try:
            code = int(child.ask(["pid"])[0] == first)
        finally:
            child.close()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == 0
    assert child.ask(["pid"])[0] == first
