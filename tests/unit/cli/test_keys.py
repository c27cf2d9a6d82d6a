"""``lzc keys``: what it prints, what it refuses, and that private keys stay off the terminal."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from lzc.dnssec import algorithms
from lzc.dnssec.keystore.changes import AUDIT, LOCK
from lzc.dnssec.keystore.keystore import Keystore
from lzc.wire import name
from tests.patience import PATIENCE
from tests.unit.command_line import lzc

ZONE = name.from_text("example.org.")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "lzc.toml").write_text('[dnssec]\nkeystore = "keys"\nalgorithm = 15\n')
    return tmp_path


def keys(project: Path, verb: str, *arguments: str) -> Result:
    return lzc(project, "keys", verb, *arguments)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def test_generate_makes_what_the_configuration_says(project: Path) -> None:
    (row,) = json.loads(done(keys(project, "generate", "Example.ORG", "--format", "json")))
    (key,) = Keystore(project / "keys").load(ZONE)
    digest = row.pop("ds")
    assert digest.startswith(f"{key.tag} 15 2 ")
    assert row == {
        "zone": "example.org.",
        "tag": key.tag,
        "algorithm": "ED25519",
        "algorithm_number": 15,
        "role": "CSK",
        "state": "active",
        "private": "file",
        "token": None,
        "file": f"Kexample.org.+015+{key.tag:05}.private",
    }


def test_options_win_over_the_configuration(project: Path) -> None:
    output = done(
        keys(project, "generate", "example.org", "--algorithm", "13", "--policy", "ksk-zsk")
    )
    made = Keystore(project / "keys").load(ZONE)
    assert sorted((key.algorithm, key.flags) for key in made) == [(13, 256), (13, 257)]
    assert [line.split()[3] for line in output.splitlines()] == ["ROLE", "KSK", "ZSK"]


def test_a_zone_with_active_keys_gets_no_more_by_accident(project: Path) -> None:
    done(keys(project, "generate", "example.org"))
    result = keys(project, "generate", "example.org")
    assert result.exit_code == 1
    assert "zone-has-keys" in result.stderr
    done(keys(project, "generate", "example.org", "--add", "--zsk"))
    assert len(Keystore(project / "keys").load(ZONE)) == 2


def test_keys_that_nothing_uses_are_told_with_the_way_out(project: Path) -> None:
    toml = project / "lzc.toml"
    zones = project / "zones"
    zones.mkdir()
    zones.joinpath("example.org.zone").write_text("")
    toml.write_text('[build]\nsources = ["zones/*.zone"]\n')
    result = keys(project, "generate", "exampel.org")
    assert done(result)
    assert "no zone exampel.org.; did you mean example.org.: nothing uses" in result.stderr
    command = result.stderr.rpartition("or else: ")[2]
    done(lzc(project, *shlex.split(command)[1:]))
    assert {file.name for file in (project / "keys").iterdir()} == {LOCK, AUDIT}

    result = keys(project, "generate", "example.org")
    assert "zone example.org. is not signed: nothing uses" in result.stderr
    assert 'set dnssec = true in [zone."example.org"]' in result.stderr
    toml.write_text(toml.read_text() + '[zone."example.org"]\ndnssec = true\n')
    result = keys(project, "generate", "example.org", "--add", "--format", "json")
    assert done(result)
    assert result.stderr == ""


@pytest.mark.parametrize(("octets", "name"), [(0, "keys/Kexample.org.+008+"), (1000, ".private")])
def test_a_full_disk_is_told_with_the_file_and_nothing_is_kept(
    project: Path, octets: int, name: str
) -> None:
    """A limit of the process stands for the disk: the DNSKEY of an RSA key has less than 1,000
    octets, the private key more."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({octets}, {octets}));"
        "from lzc.cli import main; main()"
    )
    arguments = ["keys", "generate", "-c", "lzc.toml", "example.org", "--algorithm", "8"]
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--policy", "ksk-zsk"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1
    assert f"{project}/keys/Kexample.org.+008+" in ended.stderr
    assert name in ended.stderr
    assert "cannot be written: File too large" in ended.stderr
    assert [file.name for file in (project / "keys").iterdir()] == [LOCK]


@pytest.mark.parametrize(
    "arguments",
    [
        ("a..b",),
        ("example.org", "--algorithm", "5"),
        ("example.org", "--ksk", "--policy", "csk"),
        ("example.org", "--bits", "1024"),
        (),
    ],
)
def test_wrong_usage_is_exit_code_2(project: Path, arguments: tuple[str, ...]) -> None:
    assert keys(project, "generate", *arguments).exit_code == 2
    assert not (project / "keys").exists()


def test_list_shows_one_zone_or_all(project: Path) -> None:
    for zone in ("example.org", "example.net"):
        done(keys(project, "generate", zone))
    everything = json.loads(done(keys(project, "list", "--format", "json")))
    assert [row["zone"] for row in everything] == ["example.net.", "example.org."]
    one = json.loads(done(keys(project, "list", "example.org", "--format", "json")))
    assert [row["zone"] for row in one] == ["example.org."]
    assert len(done(keys(project, "list")).splitlines()) == 3


def test_ds_prints_lines_for_the_parent(project: Path) -> None:
    done(keys(project, "generate", "example.org", "--policy", "ksk-zsk"))
    both = done(keys(project, "ds", "example.org", "--digest", "sha256", "--digest", "sha384"))
    lines = [line.split() for line in both.splitlines()]
    assert [[*line[:3], line[5], str(len(line[6]))] for line in lines] == [
        ["example.org.", "IN", "DS", "2", "64"],
        ["example.org.", "IN", "DS", "4", "96"],
    ]
    assert done(keys(project, "ds", "example.org")) == both.splitlines(keepends=True)[0]


def test_ds_of_a_zone_without_keys_is_a_fault(project: Path) -> None:
    result = keys(project, "ds", "example.org", "--format", "json")
    assert result.exit_code == 1
    (fault,) = json.loads(result.stdout)["faults"]
    assert fault["rule"] == "zone-without-keys"


def test_keys_go_out_and_come_in_again(project: Path, tmp_path: Path) -> None:
    done(keys(project, "generate", "example.org"))
    (file,) = done(keys(project, "export", "example.org", "-o", str(tmp_path / "out"))).split()
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "lzc.toml").write_text("")
    done(keys(tmp_path / "second", "import", "example.org", file))
    assert done(keys(tmp_path / "second", "list")) == done(keys(project, "list"))


def test_export_for_powerdns_gives_the_commands(project: Path, tmp_path: Path) -> None:
    done(keys(project, "generate", "example.org", "--policy", "ksk-zsk"))
    output = done(
        keys(project, "export", "example.org", "--format", "powerdns", "-o", str(tmp_path / "out"))
    )
    commands = [line.split() for line in output.splitlines()]
    assert [line[:3] for line in commands] == [["pdnsutil", "import-zone-key", "example.org"]] * 2
    assert sorted(tuple(line[4:]) for line in commands) == [("ksk", "active"), ("zsk", "active")]
    assert all(Path(line[3]).is_file() for line in commands)


def test_export_wants_a_folder(project: Path) -> None:
    done(keys(project, "generate", "example.org"))
    assert keys(project, "export", "example.org").exit_code == 2


def test_no_command_prints_a_private_key(project: Path, tmp_path: Path) -> None:
    printed = ""
    for verb, arguments in (
        ("generate", ()),
        ("list", ()),
        ("ds", ()),
        ("export", ("-o", str(tmp_path / "out"))),
        ("export", ("--format", "powerdns", "-o", str(tmp_path / "out2"))),
        ("import", (str(next(project.glob("keys/*.private"), "")),)),
    ):
        printed += keys(project, verb, "example.org", *arguments).output
    (key,) = Keystore(project / "keys").load(ZONE)
    assert isinstance(key.private, algorithms.PrivateKey)
    secret = algorithms.scalar(key.private)
    assert base64.b64encode(secret).decode() not in printed
    assert secret.hex() not in printed


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ('denial = "nsec3"', "pdnsutil set-nsec3 example.org '1 0 0 -'"),
        (
            'denial = "nsec3"\nnsec3-salt = "AABB"\nnsec3-opt-out = true\nnsec3-iterations = 2',
            "pdnsutil set-nsec3 example.org '1 1 2 aabb'",
        ),
        ('denial = "nsec3-narrow"', "pdnsutil set-nsec3 example.org '1 0 0 -' narrow"),
        ('denial = "compact"', ""),
        ('denial = "nsec"', ""),
    ],
)
def test_an_export_for_powerdns_has_it_deny_as_we_do(
    project: Path, settings: str, command: str
) -> None:
    with (project / "lzc.toml").open("a") as toml:
        toml.write(settings + "\n")
    done(keys(project, "generate", "example.org"))
    folders = str(project / "out"), str(project / "bind")
    export = ("export", "example.org", "-o")
    printed = done(keys(project, *export, folders[0], "--format", "powerdns"))
    assert [line for line in printed.splitlines() if "set-nsec3" in line] == [command] * bool(
        command
    )
    assert "set-nsec3" not in done(keys(project, *export, folders[1]))


def test_no_key_is_made_with_a_tag_that_stands_in_the_zone_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be it that of another operator (RFC 8901), or of who signed before; as it is, or revoked."""
    (other,) = Keystore(project / "others").generate(ZONE, 13, (257,), 1)
    zone = project / "example.org.zone"
    text = "$TTL 3600\n@ SOA ns h 1 7200 900 1209600 300\n@ NS ns.example.net.\n"
    fields = presented(other.dnskey)
    zone.write_text(f"{text}@ DNSKEY {fields}\n")
    with (project / "lzc.toml").open("a") as config:
        config.write('[zone."example.org"]\nsource = "example.org.zone"\ndnssec = true\n')
    made: list[object] = []
    generate = algorithms.generate

    def same_first(number: int, bits: int) -> object:
        made.append(other.private if not made else generate(number, bits))
        return made[-1]

    monkeypatch.setattr(algorithms, "generate", same_first)
    done(keys(project, "generate", "example.org", "--algorithm", "13"))
    (key,) = Keystore(project / "keys").load(ZONE)
    assert len(made) == 2
    assert key.tag != other.tag
    zone.write_text(f"{text}sub DNSKEY {fields}\n")
    made.clear()
    done(keys(project, "generate", "example.org", "--algorithm", "13", "--add"))
    assert len(made) == 1


def presented(dnskey: bytes) -> str:
    """DNSKEY RDATA in presentation format."""
    flags, key = int.from_bytes(dnskey[:2], "big"), base64.b64encode(dnskey[4:]).decode()
    return f"{flags} {dnskey[2]} {dnskey[3]} {key}"
