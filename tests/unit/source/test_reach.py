"""Secrets stay where they are: no zone file reads them, by whatever way, and no fault shows what a
file holds that turned out to be no zone and no code."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from lzc import config as settings
from lzc.cli import group
from lzc.compiler.inputs.reading import reach_of
from lzc.config.table import Table
from lzc.source import reach as reaching
from lzc.source.inputs import read
from lzc.source.reach import Refused
from tests.patience import PATIENCE

SECRET = "c2VjcmV0IG9mIHRoZSBrZXkgdGhhdCBub2JvZHkgc2VlcyE="
COOKIE = "00112233445566778899aabbccddeeff"
PRIVATE = "PrivateKey: KPnGmyFpkW8XlrvGJfoZDzLkCkUqlGZhB5wgNTcQvHs="
HEAD = "$TTL 60\n@ SOA ns1 h 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"
TOML = f"""
[build]
sources = ["zones/*.zone"]
serial = "keep"
[lua]
enable = true
[serve]
cookie-secret-file = "private/cookie"
[tsig."a.example."]
secret-file = "private/a.tsig"
[tsig."b.example."]
secret = "{SECRET}"
"""
FILES = {
    "lzc.toml": TOML,
    "private/a.tsig": f"{SECRET}\n",
    "private/cookie": f"{COOKIE}\n",
    "private/deeper/notes": f"www A {SECRET}\n",
    "keys/Kexample.org.+013+12345.private": f"{PRIVATE}\n",
    "keys/transfer": f"{SECRET}\n",
    "zones/Kexample.org.+013+12345.private": f"{PRIVATE}\n",
    "build/.inputs": f"{SECRET}\n",
    "build/note.inc": f"{SECRET}\n",
    "other.toml": f"token = '{SECRET}'\n",
    ".env": f"TOKEN={SECRET}\n",
    ".git/config": f"url = https://x:{SECRET}@example.org\n",
    "zones/.hidden/file": f"{SECRET}\n",
    "zones/.netrc": f"{SECRET}\n",
    "shared/www.inc": "www A 192.0.2.7\n",
    "shared/www.lua": "'192.0.2.7'\n",
    "lua/www.lua": "'192.0.2.7'\n",
    "lua/www.inc": "www A 192.0.2.7\n",
    "notes": f"token = '{SECRET}'\n",
    "hosts.inc": "www A 192.0.2.7\n",
    "www.lua": "'192.0.2.7'\n",
}
"""A project; every file but those of shared, lua, hosts.inc and www.lua holds a secret."""

GUARDED = sorted(
    name
    for name in FILES
    if not name.startswith(("shared", "lua/", "private/deeper", "hosts", "www", "notes"))
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    return folder


def check(folder: Path, line: str, *, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """What ``lzc check`` says, in all its formats at once, of a zone with one more line."""
    (folder / "zones/example.org.zone").write_text(f"{HEAD}{line}\n")
    said = ""
    for name in ("json", "sarif", "github", "text"):
        arguments = ["check", "-c", str(folder / "lzc.toml"), "--format", name, *options]
        result = CliRunner().invoke(group, arguments, catch_exceptions=False)
        said += result.output
    return result.exit_code, said


def rules(said: str) -> set[str]:
    return set(re.findall(r'"rule": "([^"]+)"', said))


def shows_a_secret(said: str) -> bool:
    pieces = [text[at : at + 8] for text in (SECRET, COOKIE, PRIVATE[12:]) for at in (0, 8, 16)]
    return any(piece in said for piece in pieces)


def link_to_file(folder: Path, name: str) -> str:
    (folder / "zones/link").symlink_to(folder / name)
    return "link"


def link_to_folder(folder: Path, name: str) -> str:
    (folder / "zones/up").symlink_to(folder / Path(name).parent)
    return f"up/{Path(name).name}"


def links_in_a_row(folder: Path, name: str) -> str:
    (folder / "shared/second").symlink_to(f"../{name}")
    (folder / "zones/first").symlink_to("../shared/second")
    return "first"


def by_process(folder: Path, name: str) -> str:
    handle = os.open(folder, os.O_PATH)
    return f"/proc/{os.getpid()}/fd/{handle}/{name}"


WAYS: dict[str, Callable[[Path, str], str]] = {
    "upwards": lambda _, name: f"../{name}",
    "roundabout": lambda _, name: f"../lua/./..//zones/../{name}",
    "whole": lambda folder, name: str(folder / name),
    "link": link_to_file,
    "folder link": link_to_folder,
    "links in a row": links_in_a_row,
    "process": by_process,
}


@pytest.mark.parametrize(
    "line", ["$INCLUDE {}", "w LUA A $FILE {}", "$GENERATE 1-2 w$ LUA A $FILE {}"]
)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", GUARDED)
def test_no_way_leads_to_a_secret(project: Path, name: str, way: str, line: str) -> None:
    code, said = check(project, line.format(WAYS[way](project, name)))
    assert code == 1
    kind = "include" if line.startswith("$INCLUDE") else "lua-file"
    (rule,) = rules(said)
    assert rule in {f"{kind}-secret", f"{kind}-hidden", f"{kind}-not-listed"}
    assert not shows_a_secret(said)


@pytest.mark.parametrize(
    "name", [name for name in GUARDED if name.split("/")[0] in {"private", "keys", "build"}]
)
def test_a_secret_is_known_by_its_inode_too(project: Path, name: str) -> None:
    """A hard link, as another name on a file system that does not tell cases apart."""
    (project / "zones/hosts.inc").hardlink_to(project / name)
    code, said = check(project, "$INCLUDE hosts.inc\nw LUA A $FILE hosts.inc")
    assert code == 1
    assert rules(said) == {"include-secret", "lua-file-secret"}
    assert not shows_a_secret(said)


def test_a_guarded_folder_is_known_under_another_name(project: Path) -> None:
    """As by another mount: the path says nothing of the keystore."""
    reach = reach_of(settings.load(project / "lzc.toml"))
    (keystore,) = [one for one in reach.guarded if one.what == "the keystore"]
    (project / "keys").rename(project / "zones/renamed")
    moved = project / "zones/renamed/transfer"
    assert reach.refusal(str(moved), is_code=False) is None
    with pytest.raises(Refused, match="the keystore"):
        read("x", moved, reach=reach)
    assert keystore.identity is not None


def test_every_secret_of_the_settings_is_guarded() -> None:
    """A setting that names a file with a secret ends in ``secret-file``, and is listed."""

    def named(table: type[Table]) -> list[str]:
        return [one.alias for one in table.model_fields.values() if "secret-file" in one.alias]

    tables = [one for one in vars(settings).values() if isinstance(one, type)]
    known = [one for table in tables if issubclass(table, Table) for one in named(table)]
    assert sorted(known) == ["cookie-secret-file", "secret-file"]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("$INCLUDE ../lua/www.inc", None),
        ("w LUA A $FILE ../lua/www.lua", None),
        ("$INCLUDE ../hosts.inc", None),
        ("w LUA A $FILE ../www.lua", None),
        ("$INCLUDE ../shared/www.inc", "include-not-listed"),
        ("w LUA A $FILE ../shared/www.lua", "lua-file-not-listed"),
        ("w LUA A $FILE ../notes", "lua-file-not-listed"),
        ("$INCLUDE ../notes", "include-no-zone"),
    ],
)
def test_folders_beside_those_of_the_sources_are_listed(
    project: Path, line: str, rule: str | None
) -> None:
    code, said = check(project, line)
    assert rules(said) == ({rule} if rule else set()), said
    assert code == (rule is not None)
    assert not shows_a_secret(said)


def test_the_fault_says_which_line_to_add(project: Path) -> None:
    _, said = check(project, "$INCLUDE ../shared/www.inc\nw LUA A $FILE ../shared/www.lua")
    (line,) = set(re.findall(r"fix: add to \[build\] in lzc.toml: (include-from = .*)", said))
    assert line == 'include-from = ["lua", "shared"]'
    text = (project / "lzc.toml").read_text().replace("[build]\n", f"[build]\n{line}\n")
    (project / "lzc.toml").write_text(text)
    code, said = check(project, "$INCLUDE ../shared/www.inc\nw LUA A $FILE ../shared/www.lua")
    assert (code, rules(said)) == (0, set()), said


def test_what_is_listed_by_its_name_may_be_hidden_but_is_no_keystore(project: Path) -> None:
    (project / "keys/www.inc").write_text("www A 192.0.2.7\n")
    (project / ".shared").mkdir()
    (project / ".shared/www.inc").write_text("www A 192.0.2.7\n")
    text = TOML.replace("[build]\n", '[build]\ninclude-from = [".shared", "."]\n')
    (project / "lzc.toml").write_text(text)
    assert check(project, "$INCLUDE ../.shared/www.inc")[0] == 0
    assert rules(check(project, "$INCLUDE ../keys/www.inc")[1]) == {"include-secret"}
    assert rules(check(project, "$INCLUDE ../.env")[1]) == {"include-hidden"}


@pytest.mark.parametrize("sources", ["*.zone", "**/*.zone"])
def test_zone_files_in_the_folder_of_the_keys_go_on_working(tmp_path: Path, sources: str) -> None:
    """A keystore or an output folder in which the sources lie cannot be closed to them."""
    (tmp_path / "lzc.toml").write_text(
        f'[build]\nsources = ["{sources}"]\noutput = "."\n[dnssec]\nkeystore = "."\n'
    )
    (tmp_path / "example.org.zone").write_text(HEAD + "$INCLUDE hosts.inc\n")
    (tmp_path / "hosts.inc").write_text("www A 192.0.2.7\n")
    key = tmp_path / "Kexample.org.+013+12345.private"
    key.write_text(PRIVATE)
    arguments = ["check", "-c", str(tmp_path / "lzc.toml")]
    assert CliRunner().invoke(group, arguments).exit_code == 0
    (tmp_path / "example.org.zone").write_text(f"{HEAD}$INCLUDE {key.name}\n")
    result = CliRunner().invoke(group, arguments)
    assert "[include-secret]" in result.output
    assert not shows_a_secret(result.output)


@pytest.mark.parametrize("pattern", ["**/*", "private/*", "*", "zones/*"])
def test_globs_that_match_secrets_read_none(project: Path, pattern: str) -> None:
    (project / "lzc.toml").write_text(TOML.replace("zones/*.zone", pattern))
    for name in ("notes", "private/deeper/notes", "shared/www.inc"):
        (project / name).unlink()
    code, said = check(project, "")
    assert code == 1
    assert "source-secret" in rules(said)
    assert not shows_a_secret(said)


@pytest.mark.parametrize("name", [*GUARDED, "notes", "private/deeper/notes"])
def test_a_zone_file_that_is_a_link_to_a_secret_shows_nothing(project: Path, name: str) -> None:
    (project / "zones/evil.example.zone").symlink_to(project / name)
    code, said = check(project, "")
    assert code == 1
    assert rules(said) <= {"source-secret", "source-no-zone", "apex-soa-missing"}
    assert rules(said) & {"source-secret", "source-no-zone"}
    assert not shows_a_secret(said)


NO_ZONES = {
    "token": f"{SECRET}\n",
    "assignments": f"# the settings\nUSER=lzc\nTOKEN={SECRET}\nexport X='{SECRET}'\n",
    "yaml": f"db:\n  user: lzc\n  password: {SECRET}\n",
    "json": f'{{"a": 1, "token": "{SECRET}"}}\n',
    "pem": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END PRIVATE KEY-----\n",
    "key": f"Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\n{PRIVATE}\n",
    "quotes": f"token \"{SECRET}\n{SECRET} '\n",
    "rdata": f"www A {SECRET}\nx MX {SECRET}\ny 5 NS {SECRET}..\nz TXT {SECRET}{SECRET * 9}\n",
    "owners": f'{SECRET}.example.com. A 192.0.2.1\n"{SECRET}" A 192.0.2.1\n',
    "origins": f"$ORIGIN {SECRET}..\n${SECRET} x\n{SECRET} x\n{SECRET} y\n",
    "remarks": f"; lzc: {SECRET}\n{SECRET}\n",
    "code": f'w LUA A "{SECRET}"\nv LUA A $FILE {SECRET}\n',
    "binary": "\x00\x01" + SECRET + "\x00" + SECRET + "\r" + SECRET,
    "environment": f"HOME=/root\0TOKEN={SECRET}\0",
    "more than anybody reads": f"{SECRET}\n" * 11_000,
    "one more include": f"$INCLUDE more\n{SECRET}\n{SECRET}\n",
    "some of it right": f"a A 192.0.2.1\n{SECRET}\n{SECRET}\n; lzc: ignore {SECRET.lower()}\n",
    "wide": f"{SECRET}\n".encode("utf-16").decode("latin-1"),
}


@pytest.mark.parametrize("kind", NO_ZONES)
def test_nothing_is_shown_of_an_included_file_that_is_no_zone(project: Path, kind: str) -> None:
    (project / "zones/file").write_text(NO_ZONES[kind], encoding="latin-1")
    (project / "zones/more").write_text(f"{SECRET}\n")
    code, said = check(project, "$INCLUDE file")
    assert code == 1
    assert not shows_a_secret(said)
    assert rules(said) == ({"not-utf-8"} if kind == "wide" else {"include-no-zone"})
    if kind not in {"wide", "one more include", "origins", "code"}:
        assert re.search(r"the first at zones/file:\d+:\d+; nothing of it is shown", said)


def test_a_file_of_records_with_a_fault_is_quoted_as_ever(project: Path) -> None:
    (project / "zones/file").write_text("a A 192.0.2.1\nb A 192.0.2.300\n")
    _, said = check(project, "$INCLUDE file")
    assert "192.0.2.300" in said
    assert rules(said) == {"bad-rdata"}


NO_CODE = {
    "token": f"{SECRET}\n",
    "assignments": f"USER=lzc\nTOKEN:{SECRET}\n",
    "yaml": f"password: {SECRET}\n",
    "number": f"12{SECRET}\n",
    "string": f"'{SECRET}\n",
    "escape": f'"\\{SECRET}"\n',
    "symbol": f"a !{SECRET}\n",
    "goto": f"goto {SECRET.rstrip('=')}\n",
    "label": f"::{SECRET.rstrip('=')}:: ::{SECRET.rstrip('=')}::\n",
    "pem": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n",
    "name": f"return é{SECRET.rstrip('=')}\n",
}


@pytest.mark.parametrize("kind", NO_CODE)
def test_nothing_is_shown_of_a_file_that_is_no_lua(project: Path, kind: str) -> None:
    (project / "zones/file.lua").write_text(NO_CODE[kind])
    code, said = check(project, "w LUA A $FILE file.lua\nv LUA LUA $FILE file.lua")
    assert code == 1
    assert rules(said) <= {"lua-syntax", "lua-not-transferable"}
    assert re.search(r"zones/file.lua:[12]:\d+: error", said)
    assert not shows_a_secret(said)


@pytest.mark.parametrize("line", ["$INCLUDE {}", "w LUA A $FILE {}"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder"])
@pytest.mark.timeout(PATIENCE)
def test_what_is_no_file_is_not_waited_for(project: Path, kind: str, line: str) -> None:
    path = project / "zones/odd.lua"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        os.chdir(path.parent)
        socket.socket(socket.AF_UNIX).bind(path.name)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    code, said = check(project, line.format("odd.lua"))
    assert code == 1
    (rule,) = rules(said)
    assert rule in {"file-unreadable", "lua-file-unreadable", "include-outside", "lua-file-outside"}


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_link_that_takes_the_place_of_a_file_leads_nowhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Between the look at the path and the opening, somebody puts a link there."""
    (project / "zones/inner").mkdir()
    (project / "zones/inner/a.tsig").write_text("www A 192.0.2.7\n")
    as_before = reaching.open_regular

    def swapped(path: str, *arguments: object) -> int:
        if path.endswith("a.tsig"):
            inner = project / "zones/inner"
            (inner / "a.tsig").unlink()
            if place == "file":
                (inner / "a.tsig").symlink_to(project / "private/a.tsig")
            else:
                inner.rmdir()
                inner.symlink_to(project / "private")
        return as_before(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reaching, "open_regular", swapped)
    (project / "zones/example.org.zone").write_text(HEAD + "$INCLUDE inner/a.tsig\n")
    arguments = ["check", "-c", str(project / "lzc.toml"), "--format", "json"]
    result = CliRunner().invoke(group, arguments)
    assert rules(result.output) == {"file-unreadable"}
    assert not shows_a_secret(result.output)


@pytest.mark.timeout(PATIENCE)
def test_links_that_lead_upwards_are_gone_through_once(project: Path) -> None:
    """Two of them made 2**40 paths of ``**``."""
    for name in "abc":
        (project / f"zones/{name}").symlink_to(".")
    (project / "zones/inner").mkdir()
    (project / "zones/inner/example.net.zone").write_text(HEAD)
    (project / "lzc.toml").write_text(TOML.replace("zones/*.zone", "zones/**/*.zone"))
    code, said = check(project, "")
    assert code == 0, said
    assert '"zones": 2' in said


@pytest.mark.parametrize(
    "text",
    [
        f'[tsig."a."]\nsecret = "{SECRET}!"\n',
        f'[tsig."a."]\nsecret = "{SECRET}\n',
        f'[tsig."a."]\nsecret = {SECRET}\n',
        f'[tsig."a."]\nsecret = ["{SECRET}"]\n',
        f'[tsig."a."]\nsecret = "{SECRET}"\nsecret = "{SECRET}"\n',
        f'[tsig."a."]\nalgorithm = "{SECRET}"\nsecret = "{SECRET}"\n',
        f'[tsig."a."]\nsecret-file = "{SECRET}"\nsecret = "{SECRET}"\n',
        f'[tsig]\n"a." = "{SECRET}"\n',
        f'[tsig."a."]\nsecret.{SECRET.rstrip("=")} = 1\n',
    ],
)
def test_faults_of_the_settings_show_no_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "lzc.toml").write_text(f"[build]\n{text}")
    result = CliRunner().invoke(group, ["check", "-c", str(tmp_path / "lzc.toml")])
    assert result.exit_code == 1
    assert not shows_a_secret(result.output.replace(f"{SECRET} needs", ""))


def test_a_secret_that_is_no_geo_database_is_not_shown(project: Path) -> None:
    text = TOML.replace("[serve]\n", '[serve]\ngeoip = ["private/a.tsig"]\n')
    (project / "lzc.toml").write_text(text)
    check(project, "")
    arguments = ["query", "-c", str(project / "lzc.toml"), "www.example.org"]
    CliRunner().invoke(group, ["build", "-c", str(project / "lzc.toml")])
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 1
    assert not shows_a_secret(result.output)
