"""What lzc ships sends no packet outside of loopback: the project that `lzc init` writes, the
example project, and the demo. A newcomer's first `lzc serve` would tell strangers of itself."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from lzc import config
from lzc.bundle.reader import Bundle
from lzc.cli import group
from lzc.cli.init import new_tsig_secret, write_secret
from tests.patience import PATIENCE
from tests.unit.own_network import own_network

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"
WATCH = "tests.unit.watched_run"


def begun(folder: Path) -> Path:
    """The project of `lzc init`, built."""
    settings = str(folder / "lzc.toml")
    for arguments in (
        ["init", str(folder), "--zone", "shop.example"],
        ["keys", "generate", "-c", settings, "shop.example"],
        ["build", "-c", settings],
    ):
        result = CliRunner().invoke(group, arguments)
        assert result.exit_code == 0, result.output
    return folder


def example(folder: Path) -> Path:
    """A copy of the example project, built."""
    shutil.copytree(
        FIXTURES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("build", "keys")
    )
    write_secret(folder / "keys" / "transfer.tsig", new_tsig_secret())
    settings = str(folder / "lzc.toml")
    for zone, section in config.load(settings).zone.items():
        if section.dnssec:
            CliRunner().invoke(group, ["keys", "generate", "-c", settings, zone])
    result = CliRunner().invoke(group, ["build", "-c", settings])
    assert result.exit_code == 0, result.output
    return folder


PROJECTS = {"init": begun, "fixtures": example}


@pytest.mark.parametrize("name", PROJECTS)
def test_every_check_and_every_secondary_is_on_loopback(tmp_path: Path, name: str) -> None:
    folder = PROJECTS[name](tmp_path)
    with Bundle.open(folder / "build" / "current") as bundle:
        checks = list(bundle.checks)
    assert checks
    hosts = [check.address or urlsplit(check.url).hostname or "" for check in checks]
    loaded = config.load(folder / "lzc.toml")
    hosts += [config.parse_endpoint(secondary.address)[0] for secondary in loaded.secondary]
    assert [host for host in hosts if not ipaddress.ip_address(host).is_loopback] == []


def watched(*arguments: str, until: Path | None = None) -> list[str]:
    """Run a command of lzc in a network of its own, where all else than loopback leads to one
    device, a server until all checks of its project have been run. Returns what went out there."""
    unshare = own_network()
    served = [] if until is None else ["--until", str(until / "build" / "control.sock")]
    done = subprocess.run(
        [*unshare, sys.executable, "-m", WATCH, *served, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_watch_sees_what_goes_out(tmp_path: Path) -> None:
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "x.example.zone").write_text(
        "$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"
        "www LUA A \"ifportup(443, {'192.0.2.80', '127.0.0.1'})\"\n"
        "www LUA AAAA \"ifportup(443, {'2001:db8::80'})\"\n"
    )
    settings = tmp_path / "lzc.toml"
    settings.write_text(
        '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'
        '[serve]\nlisten = ["127.0.0.1:5300"]\n'
    )
    built = CliRunner().invoke(group, ["build", "-c", str(settings)])
    assert built.exit_code == 0, built.output
    sent = set(watched("serve", "-c", str(settings), until=tmp_path))
    assert sent == {"TCP 192.0.2.80:443", "TCP [2001:db8::80]:443"}


@pytest.mark.parametrize("name", PROJECTS)
def test_serving_it_sends_nothing_outside_of_loopback(tmp_path: Path, name: str) -> None:
    folder = PROJECTS[name](tmp_path)
    assert watched("serve", "-c", str(folder / "lzc.toml"), until=folder) == []


def test_the_demo_sends_nothing_outside_of_loopback() -> None:
    assert watched("demo") == []
