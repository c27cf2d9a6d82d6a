"""``lzc serve``: answer queries and transfers from the live bundle."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from lzc.cli.options import config_option
from lzc.cli.screen import echo
from lzc.config import MOST_WORKERS
from lzc.serve.observe import log_output


@click.command()
@config_option
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of bundles with `current` in it, or one bundle. [default: the output folder]",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="ADDR:PORT",
    help="Where to listen, instead of [serve] listen; may be given several times.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    metavar="N",
    help="Worker processes. [default: of [serve]]",
)
def command(
    config_path: Path, bundle: Path | None, listen: tuple[str, ...], workers: int | None
) -> None:
    """Answer queries and transfers from the live bundle, until SIGTERM or SIGINT.

    SIGHUP, `lzc ctl reload` and a new `current` bring the next bundle without losing a query, and
    the first two the settings of lzc.toml.
    """
    log_output.set_up()
    # To look for garbage among what imports make, where there is none, takes 20 ms of a start. The
    # supervisor turns it on again.
    gc.disable()
    try:
        _serve(config_path, bundle, listen, workers)
    finally:
        gc.enable()


def _serve(
    config_path: Path, bundle: Path | None, listen: tuple[str, ...], workers: int | None
) -> None:
    from lzc import config as settings

    for endpoint in listen:
        try:
            settings.parse_endpoint(endpoint)
        except ValueError as error:
            raise click.BadParameter(f"{endpoint}: {error}", param_hint="--listen") from error
    config = settings.load(config_path)

    from lzc.serve.supervise import start
    from lzc.serve.supervise.settings_in_force import ServeOptions

    start.run(
        ServeOptions(
            config=config,
            source=bundle if bundle is not None else config.output,
            listen=list(listen) or list(config.serve.listen),
            workers=workers or config.serve.workers,
            file=config_path.absolute(),
            ready=lambda line: echo(line, err=True),
        )
    )
