"""A reload says which settings of `lzc.toml` do not count yet, and what is wrong with the file.

What those do that count: `test_new_settings.py`.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lzc.cli import group
from lzc.cli.ctl.finding import control_socket
from lzc.config import load
from lzc.faults import InputError
from lzc.serve.supervise import control
from lzc.serve.supervise.settings_in_force import SettingsInForce, differences
from tests.patience import PATIENCE
from tests.unit.live_server import LiveServer, Project

SECRET = "b3RoZXIgc2VjcmV0"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path, "[serve]\nnsid = 'a'\n")
    made.build({"example.org": "www A 192.0.2.1\n"})
    return made


def ctl(project: Project, *arguments: str) -> Result:
    return CliRunner().invoke(group, ["ctl", *arguments, "-c", str(project.config)])


def edit(project: Project, old: str, new: str) -> None:
    text = project.config.read_text()
    assert old in text
    project.config.write_text(text.replace(old, new))


def test_reload_names_what_has_to_wait_takes_the_bundle_and_exits_with_1(project: Project) -> None:
    with LiveServer(project) as server:
        assert ctl(project, "reload").exit_code == 0
        changed = "nsid = 'b'\nlisten = ['127.0.0.1:5353']"
        edit(project, "nsid = 'a'", f"{changed}\ncontrol-socket = 'build/./control.sock'")
        identity = project.build({"example.org": "www A 192.0.2.2\n"}, serial=2)
        run = ctl(project, "reload")
        assert run.exit_code == 1
        assert f"serving bundle {identity}, in force: [serve] nsid, but:" in run.stderr
        assert "lzc serve has to be started again for this to count" in run.stderr
        assert "to count: [serve] control-socket" in run.stderr
        assert server.control("status")["bundle"] == identity
        assert "SETTINGS    " in ctl(project, "status").stdout
        edit(project, "control-socket = 'build/./control.sock'", "")
        assert ctl(project, "reload").exit_code == 0
        assert "SETTINGS" not in ctl(project, "status").stdout


def test_a_broken_file_is_told_with_its_faults_and_by_hangup_in_the_log(project: Project) -> None:
    with LiveServer(project) as server:
        edit(project, "nsid = 'a'", "nsid = 1\nworkes = 2")
        server.hang_up()
        said = server.wait_for(
            lambda: next((one for one in server.log if "SETTINGS NOT IN FORCE" in one), "")
        )
        assert "the next start of lzc serve would fail" in said
        assert "workes" in said and "nsid" in said
        by_socket = ["--socket", str(project.output / "control.sock")]
        for more in ([], by_socket):
            run = ctl(project, "reload", *more)
            assert run.exit_code == 1
            assert f"{project.config}:" in run.stderr and "workes" in run.stderr
            for command in (
                ["status"],
                ["metrics"],
                ["health"],
                ["health", "force", "192.0.2.1", "up", "--anyway"],
            ):
                assert ctl(project, *command, *more).exit_code == 0
        said = ctl(project, "status").stderr
        assert "workes" in said
        assert f"asking the server at {project.output / 'control.sock'}, as" in said
    run = ctl(project, "reload")
    assert run.exit_code == 1
    assert "it would say where the control socket of the server is, and no server" in run.stderr
    assert f"--socket {project.output / 'control.sock'}" in run.stderr


BROKEN: dict[str, str | None] = {
    "the file is no TOML": "[serve]\nnsid = = 2\ncontrol-socket = 'one.sock'\n[build\nserial = 1",
    "a table is none": "[lua\nenable = maybe\n[serve]\ncontrol-socket = 'one.sock' # here\n",
    "a value is none": "serve.control-socket = 'one.sock'\n[lua]\nenable = 'maybe'\n",
    "the output folder is said alone": "[build]\noutput = 'other'\nsources = [\n'a'\n[serve]\n= 1",
    "nothing is said": "\0\n",
    "nothing is readable": None,
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_socket_is_found_by_what_can_be_read_of_a_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    config, text = tmp_path / "lzc.toml", BROKEN[what]
    if text is None:
        config.mkdir()
    else:
        config.write_text(text)
    path = {
        "the output folder is said alone": Path("other/control.sock"),
        "nothing is said": Path("build/control.sock"),
        "nothing is readable": Path("build/control.sock"),
    }.get(what, Path("one.sock"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        control_socket(Path("lzc.toml"))
    assert refused.value.faults[-1].rule == "control-socket"
    assert str(path) in refused.value.faults[-1].message
    path.parent.mkdir(exist_ok=True)
    with control.bind(path):
        assert control_socket(Path("lzc.toml")) == path


CHANGES = [
    ("[serve]\nlisten = ['127.0.0.1:53']", ["[serve] listen"]),
    ("[serve]\nnotify-source = ['127.0.0.1']", ["[serve] notify-source"]),
    ("[lua]\nenable = true\nexec-limit = 7", ["[lua] enable", "[lua] exec-limit"]),
    ("[health]\ndeny = ['192.0.2.0/24']", ["[health] deny"]),
    ("[dnssec]\nkeystore = 'others'", ["[dnssec] keystore"]),
    ("[build]\noutput = 'other'", ["[build] output"]),
    ("[zone.'a.example']\nlua = true", ['lua in [zone."NAME"]']),
    (f"[tsig.'new.']\nsecret = '{SECRET}'", ['[tsig."new."] (new)']),
    (
        "[serve]\ntsig-required = false\n[[secondary]]\nname = 'a'\naddress = '127.0.0.1:53'",
        ["[serve] tsig-required", "[[secondary]] a (127.0.0.1:53) (new)"],
    ),
    # What a build reads, and nobody else.
    ("[build]\nsources = ['*.zone']\nserial = 'keep'\n[zone.'a.example']\ndnssec = true", []),
    ("[dnssec]\nalgorithm = 15\npolicy = 'ksk-zsk'", []),
]


WAITS = ("[serve] listen", "[build] output")


@pytest.mark.parametrize(("text", "expected"), CHANGES, ids=range(len(CHANGES)))
def test_the_keys_that_a_server_reads(tmp_path: Path, text: str, expected: list[str]) -> None:
    file = tmp_path / "lzc.toml"
    file.write_text("")
    before = load(file)
    file.write_text(text)
    now = load(file)
    assert differences(before, now) == expected
    assert differences(now, now) == []
    in_force = SettingsInForce(before, file, frozenset())
    found = in_force.look()
    assert sorted(found.changed + found.wait) == sorted(expected)
    told = in_force.tell(found)
    assert all(key in told for key in found.wait)
    assert found.wait == tuple(key for key in expected if key in WAITS)
    given = SettingsInForce(before, file, frozenset(WAITS)).look()
    assert given.wait == () and given.changed == found.changed


def test_secrets_are_not_told(tmp_path: Path) -> None:
    file = tmp_path / "lzc.toml"
    file.write_text("[tsig.'a.']\nsecret = 'c2VjcmV0'")
    before = load(file)
    file.write_text(f"[tsig.'a.']\nsecret = '{SECRET}'")
    assert differences(before, load(file)) == ['[tsig."a."] secret']


def test_however_many_ask_at_once_each_is_answered(project: Project) -> None:
    path = project.output / "control.sock"
    with LiveServer(project):
        held = [socket.socket(socket.AF_UNIX) for _ in range(150)]
        for one in held:
            one.connect(str(path))
        found: list[bool] = []
        many = [
            threading.Thread(target=lambda: found.append(control.ask(path, "status")["ok"]))
            for _ in range(100)
        ]
        for thread in many:
            thread.start()
        for thread in many:
            thread.join(PATIENCE)
        assert found == [True] * 100
        for one in held:
            one.close()


def test_a_server_of_another_version_is_told(project: Project) -> None:
    path = project.output / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            with listener.accept()[0] as sock:
                sock.recv(4096)
                sock.sendall(b'{"ok": true}\n')

        thread = threading.Thread(target=answer)
        thread.start()
        run = ctl(project, "status")
        thread.join(PATIENCE)
    assert run.exit_code == 1
    assert "answers as another version of lzc does" in run.stderr
