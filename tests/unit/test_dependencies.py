"""What is installed is pinned with its hashes; no version that an advisory names is among it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / ".ci" / "requirements.lock").read_text()
DEV = "# Only for the extra dev:\n"
PIN = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)(?: ; [^\\\n]+)?"
    r"(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
)


class Advisory(NamedTuple):
    """A row of the table: versions as "<FIXED" or ">=FIRST,<FIXED"."""

    package: str
    versions: str
    id: str
    what: str

    @property
    def fixed(self) -> Version:
        return Version(self.versions.rpartition("<")[2])


def table() -> list[Advisory]:
    rows = tomllib.loads((ROOT / ".ci" / "advisories.toml").read_text())["advisory"]
    return [Advisory(**row) for row in rows]


def pinned(text: str) -> dict[str, Version]:
    return {found["name"]: Version(found["version"]) for found in PIN.finditer(text)}


def project() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: to run, to be tested, to be built."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {
        "run": told["project"]["dependencies"],
        "dev": told["project"]["optional-dependencies"]["dev"],
        "pkcs11": told["project"]["optional-dependencies"]["pkcs11"],
        "sql": told["project"]["optional-dependencies"]["sql"],
        "build": told["build-system"]["requires"],
    }
    return {why: [Requirement(line) for line in lines] for why, lines in asked.items()}


def named_by_advisories(pins: dict[str, Version], rows: list[Advisory]) -> list[str]:
    """What of the pins an advisory names."""
    return [
        f"{row.package} {pins[row.package]}: {row.id}"
        for row in rows
        if pins[row.package] in SpecifierSet(row.versions)
    ]


def lets_through(requirement: Requirement, row: Advisory) -> bool:
    """Whether the bounds of a requirement allow a version that the advisory names."""
    lowest = [Version(one.version) for one in requirement.specifier if one.operator == ">="]
    return not lowest or max(lowest) < row.fixed


def test_all_of_the_lock_is_pinned_with_hashes_and_names_no_place() -> None:
    rest = PIN.sub("", LOCK.replace(DEV, ""))
    assert rest == "# Written by .ci/lock; see there.\n"
    assert len(pinned(LOCK)) > 40


@pytest.mark.parametrize("why", ["run", "build", "dev", "pkcs11", "sql"])
def test_the_lock_holds_what_pyproject_asks_for(why: str) -> None:
    part = pinned(LOCK if why in ("dev", "pkcs11", "sql") else LOCK.partition(DEV)[0])
    for requirement in project()[why]:
        name = canonicalize_name(requirement.name)
        assert part[name] in requirement.specifier, f"run .ci/lock: {requirement}"


def test_what_only_tests_need_is_not_installed_to_run() -> None:
    run, dev = (pinned(part) for part in LOCK.partition(DEV)[::2])
    assert not run.keys() & dev.keys()
    assert {"python-pkcs11", "psycopg", "pymysql", "pytest", "mypy", "ruff"} <= dev.keys()
    assert {"hypothesis", "pip-audit"} <= dev.keys()


def test_no_advisory_names_what_is_pinned() -> None:
    assert named_by_advisories(pinned(LOCK), table()) == []


@pytest.mark.parametrize("row", table(), ids=lambda row: f"{row.package}-{row.id}")
def test_an_advisory_is_told_and_its_versions_ruled_out(row: Advisory) -> None:
    assert re.fullmatch(r"(>=[0-9.]+,)?<[0-9.]+", row.versions)
    assert re.fullmatch(r"CVE-\d{4}-\d{4,}|PYSEC-\d{4}-\d+|GHSA(-[0-9a-z]{4}){3}", row.id)
    assert row.what.endswith(".")
    asked = [one for part in project().values() for one in part if one.name == row.package]
    assert not any(lets_through(one, row) for one in asked)


def test_an_advisory_that_names_a_pin_or_a_bound_is_seen() -> None:
    row = Advisory("aiohttp", ">=3.10.0,<3.10.2", "CVE-2024-42367", "")
    for version, named in [("3.9.9", False), ("3.10.1", True), ("3.10.2", False)]:
        assert bool(named_by_advisories({"aiohttp": Version(version)}, [row])) == named
    bounds = [("aiohttp", True), ("aiohttp>=3.10.1", True), ("aiohttp>=3.9,<4", True)]
    for text, through in [*bounds, ("aiohttp>=3.10.2", False), ("aiohttp>=3.9,>=4", False)]:
        assert lets_through(Requirement(text), row) == through


AUDITS = {
    "advisories": (
        '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1",'
        ' "aliases": ["CVE-1"], "fix_versions": ["2"], "description": "x"}]}]}',
        1,
        "a 1: PYSEC-1 CVE-1 (fixed in 2)",
    ),
    "none": (
        '{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}',
        0,
        "0 advisories for 1 of 1",
    ),
    "not known": (
        '{"dependencies": [{"name": "a", "skip_reason": "x"}]}',
        0,
        "NOT AUDITED: PyPI did not say of 1",
    ),
    "no network": ("", 0, "NOT AUDITED, pip-audit could not do its work"),
}


@pytest.mark.parametrize("case", AUDITS.values(), ids=AUDITS)
def test_the_audit_tells_what_it_found_and_what_it_could_not_ask(
    tmp_path: Path, case: tuple[str, int, str]
) -> None:
    answer, code, said = case
    (tmp_path / "pip_audit.py").write_text(f"import sys\nprint({answer!r})\nsys.exit(1)\n")
    ended = subprocess.run(
        [sys.executable, ROOT / ".ci" / "audit"],
        env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (ended.returncode, said in ended.stdout) == (code, True), ended.stdout + ended.stderr


def test_install_takes_no_extra_but_dev() -> None:
    ended = subprocess.run([ROOT / ".ci" / "install", "fast"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "no extra but dev" in ended.stderr
