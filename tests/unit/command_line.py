"""Commands of lzc run in this process, and a small project to run them on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner, Result

from lzc.cli import group
from lzc.compiler.lua.plans import Planned, plan_zone
from lzc.compiler.lua.programs import Programs
from lzc.lua.plan import encode
from lzc.wire import rrtype

CONFIG = """
[build]
sources = ["zones/*.zone"]
serial = "keep"
[lua]
enable = true
[zone."example.net"]
dnssec = true
"""
HEAD = """\
@ 3600 IN SOA ns1 hostmaster 7 7200 900 1209600 300
@ 3600 IN NS ns1
ns1 600 IN A 192.0.2.53
www 600 IN A 192.0.2.1
"""


def plan_wrongly(programs: Programs, exec_limit: int = 0) -> Planned:
    """In place of `plan_zone`: all records of type A that have a plan have the same wrong one."""
    wrong = encode(rrtype.A, [bytes((192, 0, 2, 66))], ["fixed", [0]])
    planned = plan_zone(programs, exec_limit)
    plans = {key: wrong for key, plan in planned.plans.items() if b'"type":1,' in plan}
    return planned._replace(plans=plans)


def lzc(folder: Path, command: str, *arguments: str) -> Result:
    """Run a command on the project in a folder; what it raises is raised."""
    head = [command]
    if command in ("keys", "ctl", "serial"):
        head.append(arguments[0])
        arguments = arguments[1:]
    return CliRunner().invoke(
        group, [*head, "-c", str(folder / "lzc.toml"), *arguments], catch_exceptions=False
    )


def build_project(folder: Path, zones: Mapping[str, str]) -> None:
    """Make a project of zones by name, as text, of which example.net is signed, and build it."""
    (folder / "zones").mkdir()
    (folder / "lzc.toml").write_text(CONFIG)
    for name, text in zones.items():
        (folder / f"zones/{name}.zone").write_text(text)
    for arguments in (["keys", "generate", "example.net"], ["build"]):
        result = lzc(folder, *arguments)
        assert result.exit_code == 0, result.output
