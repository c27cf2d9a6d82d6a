"""Work that may not come back, done in a child process that can be ended.

Code of strangers can make a library spend hours in C, where nothing of ours ends it, or crash it.
So what runs such code asks a child, which the kernel ends after so much CPU time: a machine that is
slow or busy ends nobody.
"""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import pickle
import resource
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, Generic, TypeVar

LIMIT: Final = 10.0
"""Seconds of CPU time that a piece of work may take: a hundred times what code gets by default."""
MEMORY: Final = 2**30
"""Octets that a child may have beyond what it is told that its work takes."""

Q = TypeVar("Q")
A = TypeVar("A")
Begin = Callable[[int], None]
"""Says, in the child, that the piece of work with this number begins, and the one before ended."""
Home = Callable[..., Any]
"""Calls, in the child, what the parent gave to `Contained.ask` for its questions."""


def patience(time_limit: float) -> float:
    """Seconds of CPU time for an answer, of which each execution may take ``time_limit``."""
    return max(LIMIT, 100 * time_limit)


class Ended(Exception):
    """A child was ended. ``at`` is the number of the last piece of work that was begun, ``number``
    the signal that ended it."""

    def __init__(self, at: int, number: int, seconds: float) -> None:
        self.at = at
        self.number = number
        if number == signal.SIGPROF:
            self.why = f"it did not come back within {seconds:g} s of CPU time"
        elif number == signal.SIGKILL:
            self.why = "its process was killed, as the system does when memory runs out"
        else:
            self.why = f"its process crashed ({signal.Signals(number).name})"
        super().__init__(self.why)


class Contained(Generic[Q, A]):
    """A child process that does ``work`` for each request, forked when it is first asked and after
    each end. Requests and answers are pickled; ``seconds`` of CPU time are what each piece of work
    may take, ``memory`` the octets that all may. Not for several threads."""

    def __init__(
        self,
        work: Callable[[Q, Begin, Home], A],
        *,
        seconds: float = LIMIT,
        memory: int = 0,
    ) -> None:
        self._work = work
        self._seconds = seconds
        self._memory = memory + MEMORY
        self._pid = 0
        self._owner = 0

    def ask(self, request: Q, home: Home | None = None) -> A:
        """What the work gives for a request; ``home`` answers what it asks meanwhile. Raises
        `Ended`, and what the work raises."""
        if self._owner != os.getpid():
            # After a fork of ours, the child is another's.
            self._pid = 0
        if not self._pid:
            self._start()
        try:
            self._send(self._outgoing, request)
            while True:
                kind, value = pickle.load(self._incoming)  # noqa: S301 - our own child wrote it
                if kind != "home":
                    break
                assert home is not None
                self._send(self._outgoing, home(*value))
        except (EOFError, BrokenPipeError, ConnectionResetError, pickle.UnpicklingError):
            raise self._ended() from None
        except BaseException:
            self.close()
            raise
        if kind == "raised":
            raise value
        answer: A = value
        return answer

    def close(self) -> None:
        """End the child, if there is one."""
        if self._pid and self._owner == os.getpid():
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._reap()

    def _reap(self) -> int:
        pid, self._pid = self._pid, 0
        with suppress(OSError):
            self._outgoing.close()
        self._incoming.close()
        try:
            return os.waitpid(pid, 0)[1]
        except ChildProcessError:
            return signal.SIGKILL

    def _ended(self) -> Ended:
        status = self._reap()
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else signal.SIGABRT
        return Ended(self._mark[0], number, self._seconds)

    @staticmethod
    def _send(to: BinaryIO, value: object) -> None:
        pickle.dump(value, to, pickle.HIGHEST_PROTOCOL)
        to.flush()

    def _start(self) -> None:
        # Not that of a child which a fork of ours may have left behind.
        self._mark = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("q")
        from_us, theirs = os.pipe()
        ours, to_us = os.pipe()
        self._pid, self._owner = fork(lambda: self._serve(from_us, to_us)), os.getpid()
        os.close(from_us)
        os.close(to_us)
        # Closed when the child is gone.
        self._outgoing = os.fdopen(theirs, "wb")
        self._incoming = os.fdopen(ours, "rb")

    def _serve(self, from_us: int, to_us: int) -> int:
        """In the child: work until the parent is gone. Gives the exit code."""
        # Ctrl-C is for the parent, whose end is ours too.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        # A lock that the parent holds is to end with the parent.
        from_us, to_us = _keep(from_us, to_us)
        limit_memory(self._memory)
        incoming, outgoing = os.fdopen(from_us, "rb"), os.fdopen(to_us, "wb")
        mark, seconds, setitimer = self._mark, self._seconds, signal.setitimer

        def begin(number: int) -> None:
            mark[0] = number
            setitimer(signal.ITIMER_PROF, seconds)

        def home(*arguments: Any) -> Any:
            self._send(outgoing, ("home", arguments))
            return pickle.load(incoming)  # noqa: S301 - our own parent wrote it

        while True:
            try:
                request = pickle.load(incoming)  # noqa: S301 - likewise
            except EOFError:
                return 0
            begin(-1)
            answer: tuple[str, A | Exception]
            try:
                answer = "done", self._work(request, begin, home)
            except Exception as error:
                answer = "raised", _portable(error)
            setitimer(signal.ITIMER_PROF, 0)
            self._send(outgoing, answer)


def run_contained(work: Callable[[Begin], A], *, seconds: float = LIMIT, memory: int = 0) -> A:
    """What a piece of work gives that is done once. Raises as `Contained.ask`."""

    def once(_request: None, begin: Begin, _home: Home) -> A:
        return work(begin)

    with closing(Contained(once, seconds=seconds, memory=memory)) as child:
        return child.ask(None)


def fork(work: Callable[[], int]) -> int:
    """Start a child process that does ``work`` and exits with what that gives, or with 70 where it
    raises; returns the child's id. Nothing of the parent's stack is unwound in it."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        # What is the parent's must not be collected here: the destructor of its event loop would
        # change the epoll set that both processes share.
        gc.freeze()
        code = work()
    except KeyboardInterrupt:
        pass  # before it is ignored
    except BaseException:  # the child must end here, not in the parent's callers
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def end_with_parent() -> None:
    """Let this process, of `multiprocessing`, end when the one that started it does, however that
    is: it would wait for work for good, and hold what that held."""
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _keep(*kept: int) -> tuple[int, ...]:
    """Close all files but those and the standard ones; gives their new numbers."""
    first = 3
    after = first + len(kept)
    moved = [fcntl.fcntl(one, fcntl.F_DUPFD, after) for one in kept]
    for number, one in enumerate(moved, first):
        os.dup2(one, number)
    os.closerange(after, os.sysconf("SC_OPEN_MAX"))
    return tuple(range(first, after))


def _portable(error: Exception) -> Exception:
    """The same, where it can be pickled and read again."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - written right here
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def limit_memory(octets: int) -> None:
    """Let this process map so many octets more than it has: it is to fail, not the machine."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + octets
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
