"""``lzc export prometheus``: alert rules and a dashboard for the metrics of ``lzc serve``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click
import jinja2

import lzc
from lzc.cli.export import files
from lzc.cli.init import shipped

FILES: Final = ("lzc.rules.yml", "lzc-dashboard.json")


def _job(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:/-]+", value):
        raise click.BadParameter("expected letters, digits, or any of _.:/-")
    return value


def rendered(job: str) -> dict[str, str]:
    """The text of each file; ``job`` is the name of the job that scrapes lzc."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped("templates") / "prometheus"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no output is HTML
        # Braces are those of Prometheus and Grafana.
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    values = {"job": job, "version": lzc.__version__}
    return {name: environment.get_template(name).render(values) for name in FILES}


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="the working directory",
    metavar="DIR",
    help="Where they are written; made where it is not there.",
)
@click.option(
    "--job",
    default="lzc",
    callback=_job,
    metavar="NAME",
    help="The job_name of Prometheus that scrapes lzc.",
)
@click.option(
    "--diff",
    "only_diff",
    is_flag=True,
    help="Show what would change against what lies there, and write nothing.",
)
def command(output: Path, job: str, only_diff: bool) -> None:
    """Write alert rules and a Grafana dashboard for the metrics of lzc.

    lzc.rules.yml is for rule_files of Prometheus, lzc-dashboard.json for an import into Grafana.
    Files of these names are replaced.
    """
    if only_diff:
        files.show_changes(output, rendered(job))
    else:
        files.write(output, rendered(job))
