"""Fetch the root folders of the newer servers: ``python -m tests.peers._peers.fetch``.

Each is made by debootstrap beside its place and renamed when every program in it runs. Several of
these at once take turns. It takes root, or sudo without a password; where a folder cannot be had, a
file beside it says why.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.patience import PATIENCE, SOON
from tests.peers._peers import apt_sources, origins
from tests.peers._peers.origins import FETCHED, KEPT, KEPT_DATA, PACKAGES, PROGRAMS, Origin
from tests.peers._peers.presence import find

SETTINGS: Final = {
    "usr/sbin/policy-rc.d": ("755", "#!/bin/sh\nexit 101\n"),
    "etc/apt/apt.conf.d/99lzc": ("644", 'Acquire::Check-Valid-Until "false";\n'),
    "etc/dpkg/dpkg.cfg.d/lzc": (
        "644",
        "force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n"
        "path-exclude=/usr/share/locale/*\n",
    ),
}
"""Files of a new root: no server is started there, a mirror that stands still is good enough, and
what is not needed is not unpacked."""

UNUSED_DAYS: Final = 30
"""Folders of other lists of packages go when they were not used for so long."""


class UnfetchableError(Exception):
    """Says why a folder cannot be had."""


class Builder:
    """Runs what it takes to make a folder, as root. ``sources``: the folder of apt's sources."""

    def __init__(self, sources: Path) -> None:
        self._sources = sources
        self._root: list[str] = []
        self._child: subprocess.Popen[str] | None = None
        self._ended = False

    def prepare(self) -> str:
        """Check that folders can be made here. The mirror to take."""
        program = find("debootstrap")
        if program is None:
            raise UnfetchableError("debootstrap is not installed")
        if os.geteuid() != 0:
            self._root = ["sudo", "-n"]
            if find("sudo") is None or self.run("true")[0] != 0:
                raise UnfetchableError("it takes root, or sudo without a password")
        mirrors = apt_sources.mirrors(self._sources)
        if not mirrors:
            raise UnfetchableError("the apt sources of this machine name no mirror of Debian")
        return mirrors[0]

    def run(self, *command: str, text: str = "") -> tuple[int, str]:
        """Run a command as root; its exit status, and what it printed. Raises `SystemExit` when we
        were told to end."""
        self._child = subprocess.Popen(
            [*self._root, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
            # Ctrl-C ends us, and we it: debootstrap has things to put away.
            start_new_session=True,
        )
        # A signal may have come before the child was known.
        if self._ended:
            self._end_child(self._child)
        output, _ = self._child.communicate(text)
        status, self._child = self._child.returncode, None
        self.go_on()
        return status, output

    def go_on(self) -> None:
        """Raises `SystemExit` when we were told to end."""
        if self._ended:
            sys.exit(1)

    def end(self, *_: object) -> None:
        """End, as soon as what runs has ended: a signal handler."""
        self._ended = True
        if self._child is not None:
            self._end_child(self._child)

    def _end_child(self, child: subprocess.Popen[str]) -> None:
        for name in ("TERM", "KILL"):
            if child.poll() is not None:
                return
            # The kill of a shell, which needs no package; sudo lets nobody else end what it runs.
            kill = ["sh", "-c", f"kill -s {name} -- -{child.pid}"]
            subprocess.run([*self._root, *kill], check=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(10)

    def make(self, suite: str, mirror: str) -> None:
        """Make the folder of a suite. Raises `UnfetchableError`."""
        partial = origins.folder_of(suite).with_suffix(".partial")
        self.remove(partial)
        # A mirror over TLS is only reached with the certificates that minbase leaves out.
        more = ["--include=ca-certificates"] if mirror.startswith("https:") else []
        status, output = self.run(
            "debootstrap", "--variant=minbase", *more, suite, str(partial), mirror
        )
        if status != 0:
            raise UnfetchableError(f"debootstrap said: {_reason(output)}")
        for path, (mode, text) in SETTINGS.items():
            self.run("install", "-D", "-m", mode, "/dev/stdin", str(partial / path), text=text)
        inside = ("chroot", str(partial), "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
        status, output = self.run(*inside, "apt-get", "-q", "update")
        if status != 0:
            raise UnfetchableError(f"apt-get update said: {_reason(output)}")
        # Packages that want /proc fail to set themselves up; what counts is that programs run.
        install = ("apt-get", "-q", "-y", "--no-install-recommends", "install", *PACKAGES)
        status, output = self.run(*inside, *install)
        broken = [program for program in PROGRAMS if not _runs(partial, program)]
        if broken:
            raise UnfetchableError(
                f"{', '.join(broken)} not there; apt-get said: {_reason(output)}"
            )
        self._finish(suite, partial)

    def _finish(self, suite: str, partial: Path) -> None:
        """Keep what running the programs takes, mark the folder as complete, and name it so."""
        if self._root:
            self.run("chown", "-R", "-h", f"{os.getuid()}:{os.getgid()}", str(partial))
        self._unmount(partial)
        _prune(partial, KEPT + KEPT_DATA)
        (partial / "packages").write_text(origins.marker())
        folder = origins.folder_of(suite)
        self.remove(folder)
        partial.rename(folder)
        origins.note_of(suite).unlink(missing_ok=True)

    def remove(self, folder: Path) -> None:
        """Remove a folder; what an interrupted debootstrap has mounted there is let go first."""
        self._unmount(folder)
        if folder.exists():
            self.run("rm", "-rf", "--one-file-system", str(folder))

    def _unmount(self, folder: Path) -> None:
        for name in ("proc", "sys", "dev/pts", "dev/shm", "dev"):
            if os.path.ismount(folder / name):
                self.run("umount", "-l", str(folder / name))


def _runs(folder: Path, program: str) -> bool:
    """Whether the dynamic linker finds all that a program needs."""
    command = origins.command_in(folder, program)
    if command is None:
        return False
    listed = subprocess.run(
        [command[0], "--list", *command[1:]], capture_output=True, text=True, timeout=PATIENCE
    )
    return listed.returncode == 0 and "not found" not in listed.stdout


def _reason(output: str) -> str:
    """The lines of an output that say what went wrong, on one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "Err:"))]
    return " | ".join((errors or lines)[-4:]) or "nothing"


def _prune(folder: Path, kept: Sequence[str], below: str = "") -> None:
    """Remove everything that is neither kept nor above something kept."""
    for entry in sorted(folder.iterdir()):
        path = f"{below}{entry.name}"
        if path in kept:
            continue
        if any(name.startswith(f"{path}/") for name in kept) and not entry.is_symlink():
            _prune(entry, kept, f"{path}/")
        elif entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@contextlib.contextmanager
def _turn(builder: Builder) -> Iterator[None]:
    """Wait until nobody else fetches, and keep others from it."""
    origins.cache().mkdir(parents=True, exist_ok=True)
    with (origins.cache() / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                builder.go_on()
                time.sleep(SOON)
        yield


def _sweep(builder: Builder) -> None:
    """Remove what interrupted runs left, and folders of other lists that nobody uses any more."""
    now = time.time()
    wanted = {origins.folder_of(suite) for origin in FETCHED for suite in origin.suites}
    for folder in origins.cache().iterdir():
        if not folder.is_dir() or folder in wanted:
            continue
        used = folder / "packages"
        old = not used.exists() or now - used.stat().st_mtime > UNUSED_DAYS * 86_400
        if folder.suffix == ".partial" or old:
            builder.remove(folder)


def fetch(origin: Origin, builder: Builder) -> bool:
    """Make the folder of an origin unless it is there; whether it is there now. What went wrong
    with a suite is written beside its place."""
    for suite in origin.suites:
        if origin.folder() is not None:
            break
        origins.note_of(suite).unlink(missing_ok=True)
        started = time.monotonic()
        try:
            builder.make(suite, builder.prepare())
        except (UnfetchableError, OSError) as error:
            origins.note_of(suite).write_text(f"{error}\n")
            print(f"{suite}: {error}", file=sys.stderr)
            builder.remove(origins.folder_of(suite).with_suffix(".partial"))
        else:
            print(f"{suite}: fetched in {time.monotonic() - started:.0f} s")
    return origin.folder() is not None


def main(sources: Path = apt_sources.ETC_APT) -> int:
    """Fetch everything that is missing; 0 where nothing is missing any more."""
    builder = Builder(sources)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, builder.end)
    with _turn(builder):
        _sweep(builder)
        for origin in FETCHED:
            if (folder := origin.folder()) is not None:
                os.utime(folder / "packages")
        fetched = [fetch(origin, builder) for origin in FETCHED]
    return 0 if all(fetched) else 1


if __name__ == "__main__":
    sys.exit(main())
