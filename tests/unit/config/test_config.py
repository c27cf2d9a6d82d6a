"""``lzc.toml``: what a slip in it is answered with, to the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.config import Config, load
from lzc.faults import Fault, InputError


def faults_of(folder: Path, text: str | bytes) -> list[Fault]:
    file = folder / "lzc.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError) as caught:
        load(file)
    return list(caught.value.faults)


def loaded(folder: Path, text: str) -> Config:
    (folder / "lzc.toml").write_text(text)
    return load(folder / "lzc.toml")


@pytest.mark.parametrize(
    ("text", "line", "fix"),
    [
        ("[serv]\nworkers = 1", 1, "did you mean serve?"),
        ("[serve]\n\nworker = 1", 3, "did you mean workers?"),
        ("serve.worker = 1", 1, "did you mean workers?"),
        ('[ serve ]\n"worker" = 1', 2, "did you mean workers?"),
        ("[lua]\nexec_limit = 5", 2, "did you mean exec-limit?"),
        ('[zone."a.org"]\ndnsec = true', 2, "did you mean dnssec?"),
        ("[zone.a.org]\ndnssec = true", 1, 'put the name in quotes: [zone."a.org"]'),
        (
            "[lua]\nenable = true\n[build]\nx = 1",
            4,
            "known here: sources, include-from, output, serial, dialect, keep-last-good,"
            " ixfr-builds, ixfr-octets, zone-limits, total-limits",
        ),
        (
            'folder = "x"',
            1,
            "known here: build, lua, health, dnssec, policy, zone, serve, tsig, secondary, catalog,"
            " export",
        ),
        (
            '[[secondary]]\nname="a"\naddress="1.2.3.4:5"\n[[secondary]]\n'
            'name="b"\naddress="1.2.3.4:5"\nsoftwar="nsd"',
            7,
            "did you mean software?",
        ),
    ],
)
def test_an_unknown_key_is_told_with_the_one_that_was_meant(
    tmp_path: Path, text: str, line: int, fix: str
) -> None:
    (fault,) = faults_of(tmp_path, text)
    assert fault.place.line == line
    assert fault.message.startswith("unknown key ")
    assert fault.fix == fix


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lua]\nenable = 1", "lua.enable: must be true or false, without quotes"),
        ('[lua]\nenable = "yes"', "lua.enable: must be true or false, without quotes"),
        ('[serve]\nworkers = "2"', "serve.workers: must be a whole number, without quotes"),
        ("[serve]\nworkers = 0", "serve.workers: must be greater than or equal to 1"),
        ("[build]\noutput = 1", "build.output: must be text in double quotes"),
        (
            '[build]\nsources = "zones"',
            'build.sources: must be a list in brackets, such as ["…"]',
        ),
        (
            '[serve]\nlisten = ["::1:53"]',
            "serve.listen[0]: put an IPv6 address in brackets: [::1]:53",
        ),
        (
            '[serve]\nlisten = ["192.0.2.1:٥"]',
            "serve.listen[0]: expected ADDRESS:PORT, such as 192.0.2.1:53 or [::1]:53",
        ),
        ('[tsig.k]\nsecret = "not base64"', "the secret of TSIG key k is empty, or not base64"),
    ],
)
def test_a_value_of_a_wrong_type_is_told_in_the_words_of_toml(
    tmp_path: Path, text: str, message: str
) -> None:
    (fault,) = faults_of(tmp_path, text)
    assert (fault.message, fault.place.line) == (message, 2)


def test_a_whole_number_serves_as_a_number_of_seconds(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[serve]\ntcp-idle-timeout = 3").serve.tcp_idle_timeout == 3.0


def test_all_faults_are_told_in_one_run_by_line(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, '[lua]\nx = 1\nmode = "isolatd"\n[serve]\nworkers = 0\n')
    assert [(fault.place.line, fault.fix) for fault in faults][1:] == [
        (3, 'did you mean "isolated"?'),
        (5, ""),
    ]
    assert faults[0].place.line == 2


def test_two_tsig_keys_of_one_name(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, '[tsig."k."]\nsecret="AAAA"\n[tsig.K]\nsecret="BBBB"')
    assert (fault.rule, fault.place.line) == ("tsig-key-twice", 3)


def test_text_that_is_no_utf_8_has_its_place(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, b'[build]\noutput = "\xff"\n')
    assert (fault.place.line, fault.place.column) == (2, 11)


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    assert loaded(tmp_path, '\ufeff[build]\nserial = "keep"').build.serial == "keep"


def test_a_table_written_as_a_list_and_the_other_way_round(tmp_path: Path) -> None:
    (single,) = faults_of(tmp_path, "[[serve]]\nworkers = 1")
    (double,) = faults_of(tmp_path, '[secondary]\nname = "x"')
    assert single.fix == "write [serve], in single brackets"
    assert double.fix == "write [[secondary]], in double brackets"


@pytest.mark.parametrize("content", [b"\xff\xfe\x80", "c\u00e4".encode(), b"###", b"", b"\n"])
def test_a_secret_file_that_holds_no_secret_is_told(tmp_path: Path, content: bytes) -> None:
    config = loaded(tmp_path, '[tsig.k]\nsecret-file = "k.key"')
    (tmp_path / "k.key").write_bytes(content)
    (tmp_path / "k.key").chmod(0o600)
    with pytest.raises(InputError) as caught:
        config.tsig_secret("k")
    (fault,) = caught.value.faults
    assert (fault.rule, fault.place.file) == ("tsig-secret", str(tmp_path / "k.key"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[serve]\nworkers = true", "serve.workers: must be a whole number, without quotes"),
        ("[serve]\nworkers = 257", "serve.workers: must be less than or equal to 256"),
        ("[serve]\ntcp-idle-timeout = 0", "serve.tcp-idle-timeout: must be greater than 0"),
        ("[serve]\ntcp-idle-timeout = nan", "serve.tcp-idle-timeout: must be greater than 0"),
        ("[dnssec]\nalgorithm = 7", "dnssec.algorithm: must be 8, 10, 13, 14, 15 or 16"),
        ("[serve]\ngeoip = [3]", "serve.geoip[0]: must be text in double quotes"),
        ('[tsig."a..b"]\nsecret = "AAAA"', 'tsig."a..b": empty label (two dots in a row'),
        ('[[secondary]]\naddress = "192.0.2.1:53"\nnotify = true', "secondary[0].name: is missing"),
    ],
)
def test_a_value_out_of_range_is_told(tmp_path: Path, text: str, message: str) -> None:
    fault, *_ = faults_of(tmp_path, text)
    assert fault.message.startswith(message)


def test_settings_do_not_change_and_share_nothing() -> None:
    first, second = Config(), Config()
    assert first == second
    first.build.sources.append("zones/*.zone")
    assert second.build.sources == []
    with pytest.raises(AttributeError):
        first.build = second.build  # type: ignore[misc]
