"""``lzc ctl``: talk to a running server over its control socket."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from lzc.cli.options import config_option, format_option

_SHOWN = 20


@click.group()
def command() -> None:
    """Talk to a running server: status, reload, health."""


@command.command()
@config_option
@format_option
def status(config_path: Path, output_format: str) -> None:
    """Bundle, workers with their counters, and what each secondary has."""
    answer = _ask(config_path, "status")
    _show(answer, output_format, _status_lines)


@command.command()
@config_option
@format_option
def reload(config_path: Path, output_format: str) -> None:
    """Switch to the live bundle now; exit code 1 when the server refuses it."""
    answer = _ask(config_path, "reload")
    _show(answer, output_format, _reload_lines)


@command.command()
@config_option
@format_option
def health(config_path: Path, output_format: str) -> None:
    """Every health check with its status, since when, latency and last error."""
    answer = _ask(config_path, "health")
    _show(answer, output_format, _health_lines)


def _ask(config_path: Path, do: str) -> dict[str, Any]:
    from lzc import config as settings
    from lzc.serve import control

    config = settings.load(config_path)
    path = control.socket_path(config.folder, config.output, config.serve.control_socket)
    return control.ask(path, do)


def _show(answer: dict[str, Any], output_format: str, lines: Any) -> None:
    if output_format == "json":
        click.echo(json.dumps(answer, indent=2))
    elif answer["ok"]:
        for line in lines(answer):
            click.echo(line)
    else:
        click.echo(f"lzc: error: {answer['error']}", err=True)
    if not answer["ok"]:
        sys.exit(1)


def _reload_lines(answer: dict[str, Any]) -> list[str]:
    return [f"serving bundle {answer['bundle']}{'' if answer['changed'] else ' (as before)'}"]


def _status_lines(answer: dict[str, Any]) -> list[str]:
    totals = answer["totals"]
    lines = [
        f"bundle      {answer['bundle']}, {answer['zones']} zones,"
        f" live for {_age(answer['loaded_at'])}",
        f"listening   {', '.join(answer['listen'])}, for {_seconds(answer['uptime'])}",
        f"queries     {totals['queries_udp']} UDP, {totals['queries_tcp']} TCP,"
        f" {totals['cache_hits']} from the cache, {totals['servfail']} SERVFAIL",
        f"LUA         {totals['lua']} executions, {totals['lua_errors']} failed",
    ]
    if answer["refused"]:
        refused = answer["refused"]
        lines.append(f"REFUSED     {_age(refused['at'])} ago: {refused['why']}")
    lines += [f"QUARANTINE  the LUA record at {one['name']}" for one in answer["quarantine"]]
    lines += [
        f"worker {one['index']:<4} pid {one['pid']}, {one['queries_udp'] + one['queries_tcp']}"
        f" queries, {one['restarts']} restarts{'' if one['ready'] else ', NOT READY'}"
        for one in answer["workers"]
    ]
    for secondary in answer["secondaries"]:
        lines.append(
            f"secondary   {secondary['name']} ({secondary['address']}):"
            f" {secondary['current']} of {secondary['zones']} zones current"
        )
        behind = [state for state in secondary["states"] if not state["current"]]
        for state in behind[:_SHOWN]:
            has = state["secondary_serial"]
            lines.append(
                f"            {state['zone']} serial {state['serial']}, it has"
                f" {'an unknown one' if has is None else has}: {state['error'] or 'asked'}"
            )
    return lines


def _health_lines(answer: dict[str, Any]) -> list[str]:
    return [
        f"{one['status']:<8} {one['check']}"
        + (f", for {_age(one['since'])}" if one["since"] else "")
        + (f", {one['latency'] * 1000:.1f} ms" if one["checked"] else "")
        + (f": {one['error']}" if one["error"] else "")
        for one in answer["checks"]
    ] or ["no health checks"]


def _age(since: float) -> str:
    return _seconds(max(0.0, time.time() - since))


def _seconds(count: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if count >= 2 * size:
            return f"{count / size:.0f} {unit}"
    return f"{count:.0f} s"
