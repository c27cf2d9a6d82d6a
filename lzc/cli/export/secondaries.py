"""``lzc export powerdns``, ``bind``, ``nsd``, ``knot`` and ``catalog``: what secondaries are set up
with."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lzc import config
from lzc.cli.export import files
from lzc.cli.faults import show_faults
from lzc.cli.options import config_option
from lzc.config import Config, SecondarySection
from lzc.faults import InputError, Place

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SOFTWARE: Final = {
    "powerdns": ("PowerDNS", "powerdns.sh, a script of pdnsutil, and pdns.conf"),
    "bind": ("BIND", "named.conf"),
    "nsd": ("NSD", "nsd.conf"),
    "knot": ("Knot DNS", "knot.conf"),
}
"""What each is called, and the files that are written for it."""


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The secondaries of the project; none where ``lzc.toml`` cannot be read, of which the command
    itself will tell."""
    from click.shell_completion import CompletionItem

    try:
        settings = config.load(ctx.params.get("config_path") or Path("lzc.toml"))
    except (InputError, OSError, ValueError):
        return []
    names = (one.name for one in settings.secondary)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="the working directory",
    metavar="DIR",
    help="Where they are written; made where it is not there.",
)
diff_option = click.option(
    "--diff",
    "only_diff",
    is_flag=True,
    help="Show what would change against what lies there, and write nothing.",
)
secondary_option = click.option(
    "--secondary",
    "name",
    metavar="NAME",
    shell_complete=_complete,
    help="For this secondary alone, as lzc.toml calls it.",
)
secrets_option = click.option(
    "--secrets",
    is_flag=True,
    help="Write TSIG secrets, and private keys for PowerDNS, too: for their owner alone.",
)


def _options(function: Callable[..., None]) -> Callable[..., None]:
    for option in (diff_option, secrets_option, output_option, secondary_option, config_option):
        function = option(function)
    return function


def chosen(
    settings: Config, path: Path, product: str | None, name: str | None
) -> list[SecondarySection]:
    """The secondaries that files are written for. Raises `InputError` where there is none."""
    named = [one for one in settings.secondary if name in (None, one.name)]
    if not named and name is not None:
        raise click.BadParameter(f"no [[secondary]] is called {name}", param_hint="--secondary")
    found = [one for one in named if product in (None, one.product)]
    if found:
        return found
    if name is not None:
        raise click.BadParameter(
            f"software of {name} is {named[0].software}", param_hint="--secondary"
        )
    word = "powerdns-5.1" if product == "powerdns" else product
    raise InputError.at(
        Place(str(path)),
        "no-such-secondary",
        f"no [[secondary]] runs {SOFTWARE[product][0] if product else 'anything'}",
        fix=f'add one, with its version: software = "{word}"',
    )


def _export(
    product: str | None,
    config_path: Path,
    name: str | None,
    output: Path,
    secrets: bool,
    only_diff: bool,
    *,
    by_catalog: bool = False,
) -> None:
    # Here, as the commands of one group need not wait for what others import.
    from lzc.dnssec.keystore.keystore import Keystore
    from lzc.secondary import provision
    from lzc.secondary.zones import Zones

    settings = config.load(config_path)
    sections = chosen(settings, config_path, product, name)
    zones = Zones.of(settings, config_path)
    made = provision.files_for(
        settings,
        sections,
        zones,
        Keystore.of(settings),
        time.time(),
        secrets=secrets,
        by_catalog=by_catalog,
    )
    if made.warnings:
        show_faults(made.warnings, "text")
    if only_diff:
        files.show_all_changes(output, made.files)
    else:
        files.write_all(output, made.files)


def _command(product: str) -> click.Command:
    title, what = SOFTWARE[product]

    @click.command(
        product,
        help=f"""Write what {title} is set up with to be a secondary.

        For each secondary that runs it there is a folder of its name, with {what}: zones, keys of
        TSIG, and catalogs. Templates of your own: templates in [export]. Files of these names are
        replaced.
        """,
    )
    @_options
    def command(
        config_path: Path, name: str | None, output: Path, secrets: bool, only_diff: bool
    ) -> None:
        _export(product, config_path, name, output, secrets, only_diff)

    return command


powerdns, bind, nsd, knot = map(_command, SOFTWARE)


@click.command("catalog")
@_options
def catalog(
    config_path: Path, name: str | None, output: Path, secrets: bool, only_diff: bool
) -> None:
    """Write what secondaries need to follow the catalogs that they take.

    As for their software, with the catalogs and their members alone, in files that begin with
    catalog-: on PowerDNS members come without TSIG key and DNSSEC keys, and catalog-powerdns.sh
    gives them both.
    """
    _export(None, config_path, name, output, secrets, only_diff, by_catalog=True)
