"""``lzc export`` for secondaries and for what stands before lzc: which files, with which modes, and
what is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lzc.cli import group
from lzc.cli.export.secondaries import SOFTWARE
from tests.unit.compiling import HEAD

PROJECT = """\
[build]
sources = ["zones/*"]
[lua]
enable = true
[serve]
listen = ["192.0.2.1:5300"]
[tsig."k.example."]
secret-file = "k.tsig"
"""
SECONDARY = """\
[[secondary]]
name = "{name}"
address = "192.0.2.2:53"
software = "{software}"
tsig = "k.example."
{more}
"""


class Made:
    """A project in a folder, with secondaries."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "zones").mkdir()
        self.zone("plain.example", "www A 192.0.2.1\n")
        (folder / "k.tsig").write_text("c2VjcmV0\n")
        (folder / "k.tsig").chmod(0o600)
        (folder / "lzc.toml").write_text(PROJECT)

    def zone(self, name: str, text: str) -> None:
        (self.folder / "zones" / f"{name}.zone").write_text(HEAD + text)

    def add(self, text: str) -> None:
        with (self.folder / "lzc.toml").open("a") as file:
            file.write(text)

    def secondary(self, software: str, name: str = "ns2", more: str = "") -> None:
        self.add(SECONDARY.format(name=name, software=software, more=more))

    def export(self, *words: str) -> Result:
        return CliRunner().invoke(group, ["export", *words, "-o", "out"])

    def read(self, name: str) -> str:
        return (self.folder / "out" / name).read_text()


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.chdir(tmp_path)
    return Made(tmp_path)


@pytest.mark.parametrize("product", [one for one in SOFTWARE if one != "powerdns"])
def test_a_secret_is_written_where_it_is_asked_for_and_for_the_owner_alone(
    made: Made, product: str
) -> None:
    made.secondary(product)
    name = {"bind": "named.conf", "nsd": "nsd.conf", "knot": "knot.conf"}[product]
    assert made.export(product).exit_code == 0
    file = made.folder / "out" / "ns2" / name
    assert "c2VjcmV0" not in file.read_text()
    assert "k.tsig" in file.read_text()
    assert made.export(product, "--secrets").exit_code == 0
    assert "c2VjcmV0" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (made.folder / "k.tsig").write_text("b3RoZXI=\n")
    for words in (["--secrets"], []):
        diff = made.export(product, "--diff", *words)
        assert f"{name}: differs, not shown: it is secret" in diff.stdout


def test_powerdns_gets_its_secrets_in_files_beside_the_script(made: Made) -> None:
    made.secondary("powerdns-4.9")
    assert made.export("powerdns").exit_code == 0
    assert not (made.folder / "out/ns2/secrets").exists()
    result = made.export("powerdns", "--secrets", "--diff")
    assert "out/ns2/secrets/k.example.tsig: new, not shown: it is secret" in result.stdout
    assert made.export("powerdns", "--secrets").exit_code == 0
    assert made.read("ns2/secrets/k.example.tsig") == "c2VjcmV0\n"
    for path, mode in (("", 0o700), ("k.example.tsig", 0o600)):
        file = made.folder / "out/ns2/secrets" / path
        assert stat.S_IMODE(file.stat().st_mode) == mode
    assert "nothing would change" in made.export("powerdns", "--secrets", "--diff").stdout


@pytest.mark.parametrize(("version", "verb"), [("4.7", " show-zone "), ("5.1", " zone show ")])
def test_verbs_are_those_of_the_version(made: Made, version: str, verb: str) -> None:
    made.secondary(f"powerdns-{version}")
    made.export("powerdns")
    assert verb in made.read("ns2/powerdns.sh")


def test_settings_are_those_that_the_zones_need_in_the_version(made: Made) -> None:
    made.zone("lua.example", "www LUA A \"country('DE') and '192.0.2.1' or '192.0.2.2'\"\n")
    for version in ("4.7", "5.1"):
        made.secondary(f"powerdns-{version}", f"ns-{version}", "exec-limit = 77")
    made.secondary("powerdns-5.1", "plain", 'zones = ["plain.example"]')
    assert made.export("powerdns").exit_code == 0
    old, new, plain = (made.read(f"{name}/pdns.conf") for name in ("ns-4.7", "ns-5.1", "plain"))
    for text in (old, new):
        assert "\nenable-lua-records=yes\n" in text
        assert "\nedns-subnet-processing=yes\n" in text
        assert "\nlua-records-exec-limit=77\n" in text
    assert "enable-lua-record-updates" in new and "enable-lua-record-updates" not in old
    assert "lua" not in plain.replace("lzc", "").partition("secondary=yes")[2]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("powerdns",), 1, "[no-such-secondary]"),
        (("bind", "--secondary", "ns2"), 2, "software of ns2 is nsd"),
        (("nsd", "--secondary", "ns9"), 2, "no [[secondary]] is called ns9"),
    ],
)
def test_who_has_no_such_secondary_is_told(
    made: Made, words: tuple[str, ...], code: int, told: str
) -> None:
    made.secondary("nsd")
    result = made.export(*words)
    assert result.exit_code == code and told in result.stderr


@pytest.mark.parametrize(
    ("listen", "more", "primary"),
    [
        ('"192.0.2.1:5300"', "", "192.0.2.1@5300"),
        ('"[2001:db8::1]:53", "192.0.2.9:53"', "", "192.0.2.9@53"),
        ('"0.0.0.0:53"', 'notify-source = ["192.0.2.7"]', "192.0.2.7@53"),
        ('"0.0.0.0:53"', '[export]\nprimary = ["192.0.2.8:54"]', "192.0.2.8@54"),
        ('"0.0.0.0:53"', "", ""),
        ('"[2001:db8::1]:53"', "", ""),
    ],
)
def test_where_the_primary_is(made: Made, listen: str, more: str, primary: str) -> None:
    file = made.folder / "lzc.toml"
    file.write_text(PROJECT.replace('"192.0.2.1:5300"]', f"{listen}]\n{more}"))
    made.secondary("nsd")
    result = made.export("nsd")
    if primary:
        assert result.exit_code == 0
        assert f"request-xfr: {primary} k.example." in made.read("ns2/nsd.conf")
    else:
        assert result.exit_code == 1 and "[primary-unknown]" in result.stderr


@pytest.mark.parametrize(
    ("software", "more", "rule"),
    [
        ("powerdns-5.1", "require-tls = true", "secondary-without-tls"),
        ("knot-3.2", "require-tls = true", "secondary-too-old"),
    ],
)
def test_who_cannot_do_what_is_asked_of_it_is_told_of(
    made: Made, software: str, more: str, rule: str
) -> None:
    file = made.folder / "lzc.toml"
    text = 'tls-listen = ["192.0.2.1:853"]\ntls-certificate-file = "c"\ntls-key-file = "k"\n'
    file.write_text(PROJECT.replace("[tsig", text + "[tsig"))
    made.secondary(software, more=more)
    result = made.export(software.partition("-")[0])
    assert result.exit_code == 1 and f"[{rule}]" in result.stderr


def test_templates_of_ones_own_count(made: Made) -> None:
    (made.folder / "mine").mkdir()
    template = made.folder / "mine" / "nsd.conf"
    template.write_text("{% for zone in zones %}<{{ zone.name }}>{% endfor %}\n")
    made.add('[export]\ntemplates = "mine"\n')
    made.secondary("nsd")
    assert made.export("nsd").exit_code == 0
    assert made.read("ns2/nsd.conf") == "<plain.example.>\n"
    template.write_text("\n{{ zoness }}\n")
    result = made.export("nsd")
    assert result.exit_code == 1 and "[export-template]" in result.stderr
    template.write_text("\n{% if %}\n")
    assert "(line 2)" in made.export("nsd").stderr
    (made.folder / "mine").rename(made.folder / "gone")
    assert "[export-templates]" in made.export("nsd").stderr


def test_what_bind_takes_where_it_is_told_to_alone(made: Made) -> None:
    made.zone("records.example", "".join(f"many TXT {n}\n" for n in range(101)))
    made.zone("types.example", "".join(f"many TYPE{1000 + n} \\# 0\n" for n in range(101)))
    made.secondary("bind-9.20")
    made.secondary("bind-9.16", "old")
    assert made.export("bind").exit_code == 0
    zones = made.read("ns2/named.conf").split("\nzone ")[1:]
    limits = {
        text.split('"')[1]: [one for one in ("records-per-type", "types-per-name") if one in text]
        for text in zones
    }
    assert limits == {
        "plain.example.": [],
        "records.example.": ["records-per-type"],
        "types.example.": ["types-per-name"],
    }
    assert "max-" not in made.read("old/named.conf")


@pytest.mark.parametrize("program", ["dnsdist", "recursor", "unbound"])
def test_subnets_are_sent_where_something_depends_on_them(made: Made, program: str) -> None:
    name = {"dnsdist": "dnsdist.conf", "recursor": "recursor.yml", "unbound": "unbound.conf"}
    assert made.export(program).exit_code == 0
    assert "ubnet" not in made.read(name[program])
    made.zone("lua.example", "www LUA A \"'192.0.2.1'\"\n")
    assert made.export(program).exit_code == 0
    assert "ubnet" in made.read(name[program])
    assert "plain.example" in made.read(name[program])


def test_a_catalog_alone_is_exported_to_who_takes_it(made: Made) -> None:
    made.add('[catalog."catalog.invalid"]\nzones = ["plain.example"]\n')
    made.zone("other.example", "")
    made.secondary("knot", "ns3")
    made.secondary("powerdns-4.7", "ns2")
    made.secondary("nsd", "ns4", 'zones = ["*.example"]')
    assert made.export("catalog").exit_code == 0
    assert sorted(one.name for one in (made.folder / "out").iterdir()) == ["ns2", "ns3"]
    assert [one.name for one in (made.folder / "out" / "ns2").iterdir()] == ["catalog-powerdns.sh"]
    script = made.read("ns2/catalog-powerdns.sh")
    assert "\narriving plain.example\n" in script and "other.example" not in script
    assert "\nzone catalog.invalid consumer 192.0.2.1:5300\n" in script
    assert "other.example" not in made.read("ns3/catalog-knot.conf")
    assert made.export("knot").exit_code == 0
    assert '"other.example."' in made.read("ns3/knot.conf")


@pytest.mark.parametrize("name", ["a/b", "..", "ns\n2", "ü"])
def test_a_secondary_may_be_called_anything(made: Made, name: str) -> None:
    made.secondary("nsd", name.encode("unicode_escape").decode().replace("\\x", "\\u00"))
    assert made.export("nsd").exit_code == 0
    (folder,) = (made.folder / "out").iterdir()
    assert (folder / "nsd.conf").is_file()
    assert all(
        line.startswith(("#", " ", "zone:", "pattern:")) or not line
        for line in (folder / "nsd.conf").read_text().splitlines()
    )
