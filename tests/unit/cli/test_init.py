"""``lzc init`` writes a project that the other commands accept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from lzc import config
from lzc.cli import group


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(group, ["init", *arguments])
    return result.exit_code, result.output


def test_the_configuration_loads_and_names_the_zone(tmp_path: Path) -> None:
    assert run(str(tmp_path), "--zone", "Shop.Example.")[0] == 0
    loaded = config.load(tmp_path / "lzc.toml")
    assert loaded.zone["shop.example"].dnssec
    assert loaded.lua.enable
    assert (tmp_path / "zones" / "shop.example.zone").is_file()
    assert len(loaded.tsig_secret("transfer.shop.example.")) == 32


@pytest.mark.parametrize("zone", ["example.org", "xn--bcher-kva.example"])
def test_the_new_project_builds_and_passes_its_tests(tmp_path: Path, zone: str) -> None:
    run(str(tmp_path), "--zone", zone)
    settings = str(tmp_path / "lzc.toml")
    generated = CliRunner().invoke(group, ["keys", "generate", "-c", settings, zone])
    assert generated.exit_code == 0, generated.output
    built = CliRunner().invoke(group, ["build", "-c", settings])
    assert built.exit_code == 0, built.output
    assert built.stdout.split()[-1] == (tmp_path / "build" / "current").resolve().name
    tested = CliRunner().invoke(group, ["test", "-c", settings])
    assert tested.exit_code == 0, tested.output
    assert tested.stdout.endswith(" test(s), 0 failed\n")
    assert not tested.stdout.startswith("0 ")


def test_every_project_has_a_secret_of_its_own_that_only_its_owner_reads(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(str(tmp_path / name))
    secrets = [tmp_path / name / "keys" / "transfer.tsig" for name in ("a", "b")]
    assert secrets[0].read_text() != secrets[1].read_text()
    for secret in secrets:
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700


def test_nothing_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    code, output = run(str(tmp_path))
    assert code == 1
    assert ".gitignore: error: already there [file-exists]" in output
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


def test_keys_and_bundles_stay_out_of_version_control(tmp_path: Path) -> None:
    run(str(tmp_path))
    assert {"build/", "keys/"} <= set((tmp_path / ".gitignore").read_text().split())


@pytest.mark.parametrize("zone", [".", "a..b", "x" * 64 + ".org", "a/b"])
def test_a_name_that_no_zone_can_have_is_wrong_usage(tmp_path: Path, zone: str) -> None:
    assert run(str(tmp_path / "p"), "--zone", zone)[0] == 2
    assert not (tmp_path / "p").exists()
