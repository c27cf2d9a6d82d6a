"""The frame of the command line: what every command has in common."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import lzc
from lzc.cli import COMMANDS, group
from lzc.cli.options import config_option, format_option
from lzc.faults import Fault, InputError, Place, Severity

FAULTS = [
    Fault(
        Place("zones/example.org.zone", 14, 22),
        "cname-and-other-data",
        "www has a CNAME and an A record",
        why="a CNAME stands alone (RFC 1034 §3.6.2)",
        fix="remove one of them",
    ),
    Fault(Place("lzc.toml"), "config-value", "odd", severity=Severity.WARNING),
]


@click.command("broken")
@format_option
@config_option
@click.option("--how", default="faults")
def broken(output_format: str, config_path: Path, how: str) -> None:
    if how == "system":
        raise PermissionError(13, "Permission denied", "/nowhere")
    if how == "bug":
        raise ZeroDivisionError
    raise InputError(FAULTS)


@pytest.fixture
def with_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    original = type(group).get_command
    monkeypatch.setattr(
        type(group),
        "get_command",
        lambda self, ctx, name: broken if name == "broken" else original(self, ctx, name),
    )


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys; from lzc.cli import group; group(['--help'], standalone_mode=False);"
        "print([m for m in sys.modules if m.startswith('lzc.') and m.count('.') == 2"
        " and m.split('.')[1] in ('compiler', 'serve', 'answer', 'lua')])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    for name in COMMANDS:
        assert f"  {name} " in out
    assert out.splitlines()[-1] == "[]"


def test_a_build_without_lua_records_loads_nothing_that_runs_or_reads_code(tmp_path: Path) -> None:
    """It takes as long as the build of one changed zone of thousands."""
    zone = "$TTL 60\n@ SOA ns host 1 3600 600 86400 60\n NS ns\nns A 192.0.2.53\n"
    (tmp_path / "example.org.zone").write_text(zone)
    (tmp_path / "lzc.toml").write_text('[build]\nsources = ["*.zone"]\n')
    code = (
        "import sys; from lzc.cli import group; group(['build'], standalone_mode=False);"
        "print([m for m in sys.modules if m.startswith('lzc.lua.') and m.split('.')[2]"
        " in ('syntax', 'functions', 'engine', 'recognition', 'plan', 'program')])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]"


HEAVY = (
    *("asyncio", "socket", "ssl", "multiprocessing", "concurrent", "subprocess", "tempfile"),
    *("aiohttp", "cryptography", "dns", "jinja2", "lmdb", "lupa", "maxminddb", "rich", "siphash24"),
    *("lzc.answer", "lzc.compare", "lzc.image", "lzc.lua", "lzc.rehearse", "lzc.serve"),
    *("lzc.bundle.node", "lzc.bundle.reader", "lzc.bundle.shard", "lzc.bundle.writer"),
    *("lzc.compiler.job", "lzc.compiler.lua", "lzc.compiler.zone_job", "lzc.dnssec.key"),
    *("lzc.source.zonefile", "lzc.wire.message", "lzc.wire.rdata", "lzc.zone.model"),
)
"""What takes long to be imported, or brings with it what does: none of it is for finding out that
nothing is to be done."""


def test_a_build_with_nothing_to_do_imports_nothing_that_builds(tmp_path: Path) -> None:
    """Zones that are signed, have LUA records and health checks, and go to secondaries."""
    zone = """$TTL 60
@ SOA ns host 1 3600 600 86400 60
 NS ns
ns A 192.0.2.53
www LUA A "ifportup(443,{'127.0.0.1','127.0.0.2'})"
"""
    (tmp_path / "example.org.zone").write_text(zone)
    (tmp_path / "lzc.toml").write_text("""[build]
sources = ["*.zone"]
[lua]
enable = true
[zone."example.org"]
dnssec = true
[serve]
tsig-required = false
[[secondary]]
name = "ns2"
address = "127.0.0.1:5301"
software = "powerdns-5.1"
tsig = "transfer.example."
settings = ["enable-lua-record-updates", "edns-subnet-processing"]
[tsig."transfer.example."]
secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQ="
""")
    # Files need not settle first, as nobody writes to them meanwhile.
    code = (
        "import sys; import lzc.source.inputs; lzc.source.inputs.SETTLED = -(1 << 62);"
        "from lzc.cli import group; group(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    )

    def run(*arguments: str) -> list[str]:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        return done.stdout.splitlines()

    run("keys", "generate", "example.org")
    run("build")
    first, _, modules = run("build")
    assert first == "nothing changed"
    found = set(modules.split())
    assert {"lzc.compiler.pipeline", "lzc.dnssec.life.timing"} <= found
    assert not {one for one in found if one.startswith(tuple(f"{name}." for name in HEAVY))}
    assert not found & set(HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_listed_command_has_help(name: str) -> None:
    result = CliRunner().invoke(group, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: group {name}")


@pytest.mark.parametrize("arguments", [["keys"], ["ctl"], ["ctl", "health"]])
def test_the_line_of_a_subcommand_is_not_cut_off(arguments: list[str]) -> None:
    listed = CliRunner().invoke(group, [*arguments, "--help"], terminal_width=80).stdout
    lines = listed.partition("Commands:\n")[2].splitlines()
    assert lines
    assert not [line for line in lines if line.endswith("...")]


def test_version() -> None:
    result = CliRunner().invoke(group, ["--version"])
    assert (result.exit_code, result.output) == (0, f"lzc, version {lzc.__version__}\n")


@pytest.mark.parametrize(
    "arguments", [["no-such-command"], ["--no-such-option"], ["init", "a", "b"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(group, arguments).exit_code == 2


def test_a_server_that_does_not_start_leaves_the_collector_of_garbage_on() -> None:
    assert gc.isenabled()
    assert CliRunner().invoke(group, ["serve", "--listen", "nonsense"]).exit_code == 2
    assert gc.isenabled()


@pytest.mark.usefixtures("with_broken")
def test_faults_go_to_stderr_with_place_reason_and_remedy() -> None:
    result = CliRunner().invoke(group, ["broken"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "zones/example.org.zone:14:22: error: www has a CNAME and an A record"
        " [cname-and-other-data]",
        "    why: a CNAME stands alone (RFC 1034 §3.6.2)",
        "    fix: remove one of them",
        "lzc.toml: warning: odd [config-value]",
        "lzc: 1 error(s), 1 warning(s)",
    ]


@pytest.mark.usefixtures("with_broken")
def test_faults_are_json_on_stdout_when_asked() -> None:
    result = CliRunner().invoke(group, ["broken", "--format", "json"])
    assert (result.exit_code, result.stderr) == (1, "")
    faults = json.loads(result.stdout)["faults"]
    assert [fault["rule"] for fault in faults] == ["cname-and-other-data", "config-value"]
    assert faults[0] == {
        "file": "zones/example.org.zone",
        "line": 14,
        "column": 22,
        "severity": "error",
        "rule": "cname-and-other-data",
        "message": "www has a CNAME and an A record",
        "why": "a CNAME stands alone (RFC 1034 §3.6.2)",
        "fix": "remove one of them",
    }


@pytest.mark.usefixtures("with_broken")
def test_a_refusal_of_the_system_exits_with_1_and_names_the_file() -> None:
    result = CliRunner().invoke(group, ["broken", "--how", "system"])
    assert result.exit_code == 1
    assert result.stderr == "lzc: error: /nowhere: Permission denied\n"


@pytest.mark.usefixtures("with_broken")
def test_a_bug_is_not_dressed_up_as_a_fault_of_the_input() -> None:
    result = CliRunner().invoke(group, ["broken", "--how", "bug"])
    assert isinstance(result.exception, ZeroDivisionError)
