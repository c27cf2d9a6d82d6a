"""The running server answers from plans, where nothing but Lua could tell the difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.live_server import UNHURRIED, LiveServer, Project

FOUR = "{'192.0.2.1','192.0.2.2','192.0.2.3','192.0.2.4'}"
ZONE = f"""\
random 60 LUA A "pickrandom({FOUR})"
hashed 60 LUA A "pickhashed({FOUR})"
rename 60 LUA A ";pickhashed=function() return '192.0.2.9' end return '192.0.2.1'"
"""


@pytest.mark.parametrize("signed", [False, True])
def test_choices_are_random_and_signed(tmp_path: Path, signed: bool) -> None:
    project = Project(tmp_path, UNHURRIED)
    project.build({"example.org": ZONE}, signed=["example.org"] if signed else [])
    with LiveServer(project) as server:
        seen = set()
        for _ in range(80):
            answer = server.ask("random.example.org", want_dnssec=True)
            assert answer.answer[0].ttl == 60
            assert len(answer.answer) == 1 + signed
            seen.add(str(answer.answer[0][0]))
        assert seen == {f"192.0.2.{number}" for number in range(1, 5)}


@pytest.mark.parametrize(("mode", "renamed"), [("isolated", False), ("shared", True)])
def test_where_globals_live_on_every_record_is_run(
    tmp_path: Path, mode: str, renamed: bool
) -> None:
    project = Project(tmp_path, f'{UNHURRIED}mode = "{mode}"\n')
    project.build({"example.org": ZONE})
    with LiveServer(project) as server:
        before = server.answers("hashed.example.org")
        assert server.answers("rename.example.org") == ["192.0.2.1"]
        after = server.answers("hashed.example.org")
        assert after == (["192.0.2.9"] if renamed else before)
