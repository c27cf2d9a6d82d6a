"""``lzc init``: a small project that builds and passes its tests, commented where it matters."""

from __future__ import annotations

import base64
import secrets
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
import jinja2

from lzc import shipped_files
from lzc.cli.screen import echo
from lzc.faults import Fault, InputError, Place
from lzc.wire import name as wire_name

SECRET_OCTETS: Final = 32
"""As long as the output of HMAC-SHA256, which RFC 8945 §5.1 recommends."""


def shipped(name: str) -> Path:
    """The folder ``fixtures`` or ``templates``. Raises `click.ClickException` where it is not
    installed."""
    try:
        return shipped_files.shipped(name)
    except FileNotFoundError as error:
        raise click.ClickException(str(error)) from error


def _zone_name(_: click.Context, __: click.Parameter, value: str) -> str:
    try:
        wire = wire_name.from_text(value, wire_name.ROOT)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    text = wire_name.to_text(wire).rstrip(".").lower()
    if not text or "/" in text or "\\" in text:
        raise click.BadParameter("a zone's name has to do as the name of its file")
    return text


def project_files(zone: str) -> dict[str, str]:
    """The files of a new project by their path: configuration, one zone, tests, ``.gitignore``."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped("templates") / "init"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no output is HTML
    )
    files = {
        "lzc.toml": "lzc.toml",
        f"zones/{zone}.zone": "zone",
        "tests.toml": "tests.toml",
        ".gitignore": "gitignore",
    }
    return {path: environment.get_template(name).render(zone=zone) for path, name in files.items()}


def new_tsig_secret() -> str:
    """A fresh random secret in base64, with a final newline, as ``secret-file`` holds it."""
    return base64.b64encode(secrets.token_bytes(SECRET_OCTETS)).decode("ascii") + "\n"


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read, in a folder that only its owner can enter.

    Raises `FileExistsError` rather than replace a secret.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text)


def _refuse_overwriting(paths: list[Path]) -> None:
    faults = [
        Fault(
            Place(str(path)),
            "file-exists",
            "already there",
            why="init never replaces a file",
            fix="move it away, or name another folder",
        )
        for path in paths
        if path.exists()
    ]
    if faults:
        raise InputError(faults)


@click.command()
@click.argument(
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where it is written; made where it is not there.  [default: the working directory]",
)
@click.option(
    "--zone",
    default="example.org",
    callback=_zone_name,
    metavar="NAME",
    help="The zone to start with.",
)
def command(folder: Path, zone: str) -> None:
    """Write a small commented project into FOLDER.

    It makes lzc.toml, one zone with static and LUA records, tests.toml, .gitignore and a random
    TSIG secret. Nothing is replaced that is already there.
    """
    files = project_files(zone)
    secret = folder / "keys" / "transfer.tsig"
    _refuse_overwriting([*(folder / name for name in files), secret])
    made: list[Path] = []
    try:
        for name, text in files.items():
            made.append(folder / name)
            made[-1].parent.mkdir(parents=True, exist_ok=True)
            made[-1].write_text(text)
        made.append(secret)
        write_secret(secret, new_tsig_secret())
    except OSError as error:
        # Half a project would be in the way of the next try.
        for path in made:
            with suppress(OSError):
                path.unlink()
        problem = f"cannot be written: {error.strerror}"
        fix = "name another folder, or correct its permissions or free space; nothing was kept"
        raise InputError.at(made[-1], "file-unwritable", problem, fix=fix) from error
    for path in made:
        echo(f"wrote {path}")
    config = "" if folder == Path() else f" -c {shlex.quote(str(folder / 'lzc.toml'))}"
    name, below = shlex.quote(zone), shlex.quote(f"whoami.{zone}")
    echo(
        "\nNext:\n"
        f"    lzc keys generate{config} {name}\n"
        f"    lzc build{config}\n"
        f"    lzc test{config}\n"
        f"    lzc query{config} {below} TXT --from 192.0.2.1\n"
        f"    lzc serve{config}"
    )
