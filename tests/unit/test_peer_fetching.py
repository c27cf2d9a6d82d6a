"""Root folders of newer peers: from where they are fetched, when they count as there, and what is
said where they cannot be had."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.peers._peers import apt_sources, fetch, origins, presence, releases
from tests.peers._peers.origins import NEWEST, TRIXIE
from tests.peers._peers.releases import Release

ROOT = Path(__file__).resolve().parents[2]

DEBOOTSTRAP = """\
#!/bin/sh
for suite; do case $suite in --*) ;; *) break ;; esac; done
echo "$@" >> "$PEER_LOG"
if [ -e "$PEER_LOG.slow" ]; then echo $$ > "$PEER_LOG.slow"; sleep 60; fi
if [ -e "$PEER_LOG.no-$suite" ]; then
    echo "I: Retrieving InRelease"
    echo "E: no such suite: $suite"
    exit 1
fi
for target; do case $target in "$XDG_CACHE_HOME"/*) break ;; esac; done
mkdir -p "$target/usr/sbin" "$target/usr/share/doc/nsd" "$target/var/cache" "$target/usr/lib"
mkdir -p "$target/usr/share/pdns-backend-sqlite3/schema"
ln -s usr/sbin "$target/sbin"
echo x > "$target/usr/share/doc/nsd/copyright"
echo x > "$target/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"
"""

# In place of chroot: packages are unpacked, and one that wants /proc fails as Knot DNS does.
CHROOT = """\
#!/bin/sh
target=$1
shift
echo "$@" >> "$PEER_LOG"
case "$*" in *install*) ;; *) exit 0 ;; esac
"$target/usr/sbin/policy-rc.d"
echo "policy $?" >> "$PEER_LOG"
libraries=$target/usr/lib/$(uname -m)-linux-gnu
mkdir -p "$libraries"
printf '#!/bin/sh\\n' > "$libraries/ld-linux-fake.so.2"
chmod 755 "$libraries/ld-linux-fake.so.2"
for program in pdns_server pdnsutil named dnssec-signzone nsd knotd; do
    [ -e "$PEER_LOG.no-$program" ] && continue
    printf '#!/bin/sh\\n' > "$target/usr/sbin/$program"
    chmod 755 "$target/usr/sbin/$program"
done
echo "E: Sub-process /usr/bin/dpkg returned an error code (1)"
exit 100
"""

SUDO = '#!/bin/sh\nshift\nexec "$@"\n'

STANZAS = """\
# A mirror
Types: deb deb-src
URIs: http://mirror.example/debian
  https://second.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://vendor.example/node
Suites: nodistro
Components: main
"""

LINES = """\
# deb http://commented.example/debian bookworm main
deb-src http://sources.example/debian bookworm main
deb [arch=amd64 signed-by=/a.gpg] http://line.example/debian bookworm main contrib # ours
deb http://line.example/debian-security bookworm-security main
deb cdrom:[Debian]/ bookworm main
deb http://vendor.example/apt ./
"""


class TestMirrors:
    def test_both_formats_are_read_in_the_order_of_the_files(self, tmp_path: Path) -> None:
        (tmp_path / "sources.list.d").mkdir()
        (tmp_path / "sources.list").write_text(LINES)
        (tmp_path / "sources.list.d" / "debian.sources").write_text(STANZAS)
        (tmp_path / "sources.list.d" / "old.sources.disabled").write_text(
            STANZAS.replace("mirror", "disabled")
        )
        assert apt_sources.mirrors(tmp_path) == [
            "http://line.example/debian",
            "http://mirror.example/debian",
            "https://second.example/debian",
        ]

    @pytest.mark.parametrize("name", ["sources.list", "sources.list.d/debian.sources"])
    def test_a_file_may_be_missing(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(LINES if name.endswith(".list") else STANZAS)
        assert apt_sources.mirrors(tmp_path)

    def test_no_sources_name_no_mirror(self, tmp_path: Path) -> None:
        assert apt_sources.mirrors(tmp_path) == []


class Machine:
    """Stand-ins for what fetching runs, which write down what they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()
        programs = {"debootstrap": DEBOOTSTRAP, "chroot": CHROOT, "sudo": SUDO}
        for name, text in programs.items():
            path = folder / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        apt = folder / "apt"
        apt.mkdir()
        (apt / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")

    def note(self, name: str) -> Path:
        """A file beside the log, which tells the stand-ins what to do."""
        return self.log.with_name(f"log.{name}")

    def asked(self, word: str) -> list[str]:
        """What was asked for, of those lines that have this word."""
        return [line for line in self.log.read_text().splitlines() if word in line.split()]

    def start(self, keep: tuple[int, ...] = ()) -> subprocess.Popen[str]:
        """Fetch in a process of its own, which keeps these files open."""
        code = (
            "import sys; from pathlib import Path; from tests.peers._peers import fetch;"
            "sys.exit(fetch.main(Path(sys.argv[1])))"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code, str(self.folder / "apt")],
            cwd=ROOT,
            text=True,
            pass_fds=keep,
        )

    def fetch(self) -> int:
        return self.start().wait(PATIENCE)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PEER_LOG", str(made.log))
    monkeypatch.delenv(origins.FETCHING, raising=False)
    monkeypatch.setattr(presence, "missing", {})
    monkeypatch.setattr(releases, "required", set())
    origins.wait.cache_clear()
    yield made
    origins.wait.cache_clear()


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestFetching:
    def test_a_folder_holds_what_running_the_programs_takes_and_no_more(
        self, machine: Machine
    ) -> None:
        assert machine.fetch() == 0
        folder = TRIXIE.folder()
        assert folder is not None
        assert entries(folder) == {"usr", "sbin", "packages"}
        assert entries(folder / "usr" / "share") == {"pdns-backend-sqlite3"}
        assert entries(origins.cache()) == {"lock", folder.name, *suite_names("sid")}
        loader, option, _, program = TRIXIE.command("nsd") or []
        assert (option, program) == ("--library-path", str(folder / "usr/sbin/nsd"))
        assert loader.startswith(str(folder))

    def test_the_mirror_is_the_machines_and_no_server_is_started(self, machine: Machine) -> None:
        machine.fetch()
        suites = [line.split() for line in machine.asked("--variant=minbase")]
        assert [words[-1] for words in suites] == ["http://mirror.example/debian"] * 2
        assert [words[-3] for words in suites] == ["trixie", "sid"]
        assert machine.asked("policy") == ["policy 101"] * 2

    def test_what_is_there_is_not_fetched_again(self, machine: Machine) -> None:
        machine.fetch()
        before = machine.log.read_text()
        assert machine.fetch() == 0
        assert machine.log.read_text() == before

    def test_another_list_of_packages_is_fetched_beside_the_first(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine.fetch()
        first = TRIXIE.folder()
        monkeypatch.setattr(origins, "PACKAGES", (*origins.PACKAGES, "dnsdist"))
        assert TRIXIE.folder() is None
        assert first is not None and origins.folder_of("trixie") != first

    def test_a_folder_without_its_list_does_not_count(self, machine: Machine) -> None:
        machine.fetch()
        (origins.folder_of("trixie") / "packages").write_text("pdns-server\n")
        assert TRIXIE.folder() is None
        assert machine.fetch() == 0
        assert TRIXIE.folder() is not None

    def test_testing_is_taken_where_sid_cannot_be_had(self, machine: Machine) -> None:
        machine.note("no-sid").touch()
        assert machine.fetch() == 0
        assert NEWEST.folder() == origins.folder_of("testing")
        assert str(NEWEST) == "testing; not sid: debootstrap said: E: no such suite: sid"

    def test_a_program_that_is_missing_afterwards_is_named_with_what_apt_said(
        self, machine: Machine
    ) -> None:
        machine.note("no-nsd").touch()
        assert machine.fetch() == 1
        assert TRIXIE.folder() is None
        assert entries(origins.cache()) == {
            *("lock", "trixie.failed", "sid.failed", "testing.failed")
        }
        assert origins.failure_of("trixie") == (
            "trixie: nsd not there; apt-get said: "
            "E: Sub-process /usr/bin/dpkg returned an error code (1)"
        )

    def test_what_failed_once_is_forgotten_when_it_works(self, machine: Machine) -> None:
        machine.note("no-trixie").touch()
        assert machine.fetch() == 1
        machine.note("no-trixie").unlink()
        assert machine.fetch() == 0
        assert origins.failure_of("trixie") == ""

    def test_two_at_once_take_turns(self, machine: Machine) -> None:
        runs = [machine.start() for _ in range(2)]
        assert [run.wait(PATIENCE) for run in runs] == [0, 0]
        assert len(machine.asked("--variant=minbase")) == 2

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_ended_halfway_it_leaves_nothing_running_and_the_next_begins_anew(
        self, machine: Machine, number: signal.Signals
    ) -> None:
        slow = machine.note("slow")
        slow.touch()
        run = machine.start()
        while not slow.read_text().strip():
            time.sleep(0.02)
        child = int(slow.read_text())
        slow.unlink()
        run.send_signal(number)
        assert run.wait(PATIENCE) == 1
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
        left = origins.folder_of("sid").with_suffix(".partial")
        left.mkdir(parents=True)
        assert machine.fetch() == 0
        assert not left.exists()

    def test_it_takes_root_or_sudo(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        (machine.folder / "bin" / "sudo").write_text("#!/bin/sh\nexit 1\n")
        with pytest.raises(fetch.UnfetchableError, match="root, or sudo without a password"):
            fetch.Builder(machine.folder / "apt").prepare()


def suite_names(*suites: str) -> set[str]:
    return {origins.folder_of(suite).name for suite in suites}


class TestMissing:
    """What a test hears that wants a peer."""

    def outcome(self, release: Release) -> str:
        try:
            release.require()
        except (pytest.fail.Exception, pytest.skip.Exception) as outcome:
            return f"{type(outcome).__name__}: {outcome}"
        return "it is there"

    @pytest.fixture
    def release(self, machine: Machine) -> Release:
        return releases.of("nsd", "4.12")

    @pytest.mark.parametrize(("ci", "verdict"), [("true", "Failed"), ("", "Skipped")])
    def test_the_reason_is_told_and_ci_fails(
        self,
        machine: Machine,
        release: Release,
        monkeypatch: pytest.MonkeyPatch,
        ci: str,
        verdict: str,
    ) -> None:
        monkeypatch.setenv("CI", ci)
        machine.note("no-trixie").touch()
        machine.fetch()
        reason = (
            "Debian 13 could not be fetched: trixie: debootstrap said: E: no such suite: trixie"
        )
        assert self.outcome(release) == f"{verdict}: missing peer: nsd-4.12 ({reason})"
        assert presence.missing["nsd-4.12"].reason == reason
        assert len(presence.missing["nsd-4.12"].tests) == 1

    def test_one_that_nobody_fetched(
        self, release: Release, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CI", "")
        assert "Debian 13 was not fetched (tests/run fetches it)" in self.outcome(release)

    def test_one_that_is_on_its_way_is_waited_for(
        self, machine: Machine, release: Release, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lock = machine.folder / "fetching"
        monkeypatch.setenv(origins.FETCHING, str(lock))
        # As tests/run does it: the lock goes with the process that was given the open file.
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            fetcher = machine.start((file.fileno(),))
        assert self.outcome(release) == "it is there"
        assert fetcher.wait(PATIENCE) == 0

    def test_waiting_is_no_part_of_a_tests_limit_of_time(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        test = machine.folder / "test_waiting.py"
        test.write_text(
            "from tests.peers._peers.releases import of\n\n"
            "def test_it():\n    of('nsd', '4.12').require()\n"
        )
        lock = machine.folder / "fetching"
        monkeypatch.setenv(origins.FETCHING, str(lock))
        monkeypatch.setenv("CI", "true")
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            slow = subprocess.Popen(["sleep", "5"], pass_fds=[file.fileno()])
        options = ["-o", "timeout=4", "-p", "tests.peers.conftest", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", *options, str(test)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
        assert slow.wait() == 0
        assert "Failed: missing peer: nsd-4.12 (Debian 13 was not fetched" in done.stdout
        assert "nsd-4.12: 1 test(s) did not run: Debian 13 was not fetched" in done.stdout
        assert "Timeout" not in done.stdout

    def test_one_that_never_comes_is_given_up(
        self, machine: Machine, release: Release, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lock = machine.folder / "fetching"
        monkeypatch.setenv(origins.FETCHING, str(lock))
        monkeypatch.setenv("CI", "true")
        monkeypatch.setattr(origins, "LIMIT", 0.1)
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert "nsd-4.12 (fetching was not done within 0.1 s)" in self.outcome(release)
