"""A project made of the fixtures, in a temporary folder, and lzc run on it as an operator does."""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import dns.name
import dns.tsig
import dns.tsigkeyring

from tests.peers._peers.process import LOOPBACK, Process, free_port, running, wait_for_zone
from tests.unit import lzc_process

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
LZC = Path(sys.executable).with_name("lzc")
TSIG_NAME = "transfer.example."
TSIG_SECRET = base64.b64encode(b"the secret of the tests' transfers").decode()
PLAIN_ZONES = ("example.com", "example.net")
LUA_ZONES = (
    "example.org",
    "fwd6.example",
    "2.0.192.in-addr.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
)
SIGNED_ZONES = ("example.org", "example.net", "2.0.192.in-addr.arpa")


class Project:
    """The fixtures copied to ``folder``: all of its zones, or those named."""

    def __init__(self, folder: Path, secondaries: Sequence[tuple[str, int, str]] = ()) -> None:
        """``secondaries``: (name, port on the loopback interface, software) of each."""
        self.folder = folder
        self.port = free_port()
        self.health_port = free_port()
        """Takes the place of 5380 in the health checks of the fixtures."""
        self.config = folder / "lzc.toml"
        shutil.copytree(
            FIXTURES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("build")
        )
        keys = folder / "keys"
        shutil.rmtree(keys, ignore_errors=True)
        keys.mkdir(mode=0o700)
        secret = keys / "transfer.tsig"
        secret.touch(mode=0o600)
        secret.write_text(TSIG_SECRET + "\n")
        zone = self.zone_file("example.org")
        zone.write_text(zone.read_text().replace("5380", str(self.health_port)))
        text = (FIXTURES / "lzc.toml").read_text()
        text = text[: text.index("[[secondary]]")]
        text = text.replace(
            'listen = ["127.0.0.1:5300", "[::1]:5300"]', f'listen = ["{LOOPBACK}:{self.port}"]'
        )
        # Answers are those of the secondaries' version.
        text = re.sub(r"(?m)^powerdns = .*\n", "", text)
        for name, port, software in secondaries:
            # A list of names in TOML is one in Python, too.
            zones = ["*"] if software.startswith("powerdns") else list(PLAIN_ZONES)
            text += (
                f'[[secondary]]\nname = "{name}"\naddress = "{LOOPBACK}:{port}"\n'
                f'software = "{software}"\ntsig = "{TSIG_NAME}"\nzones = {zones}\n'
            )
        self.config.write_text(text)

    def lzc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of lzc on this project and return what it printed."""
        command, *rest = arguments
        subcommand = [rest.pop(0)] if command in ("keys", "ctl", "serial", "export") else []
        done = lzc_process.ended(command, *subcommand, "-c", str(self.config), *rest)
        assert not check or done.returncode == 0, f"{arguments}:\n{done.stdout}{done.stderr}"
        return done

    def generate_keys(self, algorithms: dict[str, int] | None = None) -> None:
        """A key for every signed zone; ``algorithms`` says which where not the configured one."""
        for zone in SIGNED_ZONES:
            number = (algorithms or {}).get(zone)
            options = [] if number is None else ["--algorithm", str(number)]
            self.lzc("keys", "generate", *options, zone)

    def build(self) -> str:
        """Build, and return the bundle id."""
        return self.lzc("build").stdout.split()[-1]

    def zone_file(self, zone: str) -> Path:
        return self.folder / "zones" / f"{zone}.zone"

    def append(self, zone: str, line: str) -> None:
        """Add a line to a zone file."""
        with self.zone_file(zone).open("a") as file:
            file.write(line + "\n")

    @contextlib.contextmanager
    def serve(self, *options: str, zone: str = PLAIN_ZONES[0]) -> Iterator[Process]:
        """Serve the live bundle, with ``zone`` in it, while the block runs."""
        arguments = ["serve", "-c", str(self.config), *options]
        with running(arguments, self.folder, "lzc", lzc_process.logging_to) as process:
            wait_for_zone(process, self.port, zone)
            yield process


def keyring() -> dict[dns.name.Name, dns.tsig.Key]:
    """The TSIG key of the tests, as dnspython wants it."""
    ring: dict[dns.name.Name, dns.tsig.Key] = dns.tsigkeyring.from_text(
        {TSIG_NAME: ("hmac-sha256", TSIG_SECRET)}
    )
    return ring
