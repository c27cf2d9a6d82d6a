"""``lzc ctl``: talk to a running server over its control socket."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lzc.cli.ctl.finding import control_socket
from lzc.cli.ctl.kept import kept_lines
from lzc.cli.ctl.secondaries import age, secondary_lines, seconds
from lzc.cli.ctl.tls import tls_lines
from lzc.cli.ctl.zones_there import lines as zone_lines
from lzc.cli.options import config_option, format_option, socket_option
from lzc.cli.screen import echo, echo_json, tame, write_all
from lzc.faults import InputError
from lzc.foreign_text import clauses, one_line, shown
from lzc.serve.supervise import control

_SHOWN = 20
_UNITS = {"s": 1, "": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_LONGEST = 366 * 86400
_ID = 8


def _server_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `_tell`."""
    return config_option(socket_option(format_option(function)))


@click.group()
def command() -> None:
    """Talk to a running server: status, reload, health, metrics."""


@command.command()
@_server_options
def status(**server: Any) -> None:
    """Show bundle, counters, checks, geo databases, secondaries."""
    _tell("status", _status_lines, **server)


@command.command()
@_server_options
def reload(**server: Any) -> None:
    """Switch to the live bundle, and to what lzc.toml says, now.

    Keys, secrets and geo databases are read anew, too. A server that refuses goes on as before, and
    the exit code is 1. So it is where the keys of a zone or a TSIG secret cannot be used: refused
    if that is new, told if it was so before. Keys of lzc.toml that only another start of the server
    can change are named, with the exit code 1, and all others count. Where lzc.toml cannot be used,
    the settings stay as they were, and the exit code is 1 too.
    """
    _tell("reload", _reload_lines, **server)


@command.command()
@config_option
@socket_option
def metrics(config_path: Path, socket_path: Path | None) -> None:
    """Print the metrics, in the text format of Prometheus.

    They are those that http of [serve] gives at /metrics, whether or not that is set.
    """
    answer = control.ask(socket_path or control_socket(config_path), "metrics")
    if not answer["ok"] or not isinstance(answer.get("text"), str):
        error = one_line(str(answer.get("error", "the server answers as another version does")))
        echo(f"lzc: error: {error}", err=True)
        sys.exit(1)
    write_all(tame(line) for line in answer["text"].splitlines(keepends=True))


@command.command()
@click.argument("name", required=False, help="Name or address of a secondary.  [default: all]")
@click.option("--zone", metavar="ZONE", help="This zone alone.")
@click.option("--all", "every", is_flag=True, help="List zones with nothing wrong, too.")
@_server_options
def secondaries(name: str | None, zone: str | None, every: bool, **server: Any) -> None:
    """Show what each secondary has, zone by zone.

    Zones with something wrong are listed: what the secondary answered and what that means, how long
    it has been behind, when it stops answering, why it was turned away, and what it was sent last.
    """
    wanted = {key: value for key, value in (("name", name), ("zone", zone)) if value is not None}
    every = every or zone is not None
    _tell("secondaries", lambda answer: zone_lines(answer, every=every), wanted, **server)


@command.group(invoke_without_command=True)
@_server_options
@click.pass_context
def health(context: click.Context, /, **server: Any) -> None:
    """List the health checks, or overrule them.

    Of each: its status, since when, latency, weight and last error.
    """
    if context.invoked_subcommand is None:
        _tell("health", _health_lines, **server)


@health.command()
@click.argument(
    "target",
    help="ADDRESS, ADDRESS:PORT ([ADDRESS]:PORT for IPv6), or the id of a check as it is listed;"
    " the narrowest counts.",
)
@click.argument(
    "state",
    type=click.Choice(["up", "down", "drain", "auto"]),
    help="What answers take it for: what is drained is down to them, auto leaves it to its checks.",
)
@click.option("--anyway", is_flag=True, help="Though there is no such check (yet).")
@click.option("--for", "length", metavar="TIME", help="How long, such as 90s, 10m, 2h or 1d.")
@_server_options
def force(target: str, state: str, anyway: bool, length: str | None, **server: Any) -> None:
    """Overrule the checks of TARGET; auto takes that back.

    Without --for it holds until it is taken back, over reloads and restarts of the server; where it
    cannot be saved for that, it holds now, and the exit code is 1.
    """
    if length is not None and state == "auto":
        raise click.BadParameter(
            "auto takes effect at once and for good: leave --for out", param_hint="--for"
        )
    forced = {"target": target, "state": state, "anyway": anyway}
    forced["seconds"] = _duration(length) if length is not None else 0.0
    _tell("force", _force_lines, forced, **server)


def _duration(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,8})(s|m|min|h|d|)", text.strip())
    length = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < length <= _LONGEST:
        message = f"{text} is not a time such as 90s, 10m, 2h or 1d, up to 366 days"
        raise click.BadParameter(message, param_hint="--for")
    return float(length)


def _tell(
    do: str,
    lines: Callable[[dict[str, Any]], list[str]],
    arguments: dict[str, Any] | None = None,
    *,
    config_path: Path,
    socket_path: Path | None,
    output_format: str,
) -> None:
    """Have a server do something, and show its answer as ``lines`` has it, or as JSON. Exits with 1
    where it refuses."""
    answer = control.ask(socket_path or control_socket(config_path), do, **arguments or {})
    if output_format == "json":
        echo_json(answer)
    elif answer["ok"]:
        try:
            made = lines(answer)
        except (KeyError, TypeError):
            what = "the server answers as another version of lzc does"
            fix = "start it again with this version; until then --format json shows its answer"
            raise InputError.at("lzc ctl", "server-version", what, fix=fix) from None
        for line in made:
            echo(one_line(line, None))
    else:
        # On one line: of what another process says, none can pass for one of ours.
        error = clauses(str(answer["error"]))
        echo(f"lzc: error: {one_line(error)}", err=True)
    if not answer["ok"]:
        sys.exit(1)


def _reload_lines(answer: dict[str, Any]) -> list[str]:
    lines = [f"serving bundle {answer['bundle']}{'' if answer['changed'] else ' (as before)'}"]
    if answer["settings"]:
        lines.append(f"in force: {', '.join(map(shown, answer['settings']))}")
    lines += _fallen_lines(answer)
    lines += [_stale_geo(one) for one in answer["geo"] if one["error"]]
    return lines + tls_lines(answer)[1:]


def _fallen_lines(answer: dict[str, Any]) -> list[str]:
    return [f"SERIALS     {shown(answer['fallen']['why'])}"] if answer["fallen"]["count"] else []


def _stale_geo(one: dict[str, Any]) -> str:
    return (
        f"GEO STALE   {shown(one['path'])}: {shown(one['error'])}; the one read"
        f" {age(one['read'])} ago is used"
    )


def _status_lines(answer: dict[str, Any]) -> list[str]:
    totals = answer["totals"]
    lines = [
        f"bundle      {answer['bundle']}, {answer['zones']} zones,"
        f" built {age(answer['built_at'])} ago, live for {age(answer['loaded_at'])}",
        f"listening   {', '.join(answer['listen'])}, for {seconds(answer['uptime'])}",
        f"queries     {totals['queries_udp']} UDP, {totals['queries_tcp']} TCP,"
        f" {totals['cache_hits']} from the cache, {totals['servfail']} SERVFAIL",
        f"TCP         {totals['tcp_connections']} connections, {totals['transfers']} transfers,"
        f" {totals['tcp_refused']} refused or closed for others",
        f"LUA         {totals['lua']} executions, {totals['lua_errors']} failed"
        f" ({totals['lua_instructions']} too many instructions, {totals['lua_memory']} too much"
        f" memory, {totals['lua_time']} too long, {totals['lua_quarantine']} not run,"
        f" {totals['lua_held']} held back with their zone)",
    ]
    checker = answer["checker"]
    lines.append(
        f"health      {checker['checks']} checks ({checker['up']} up, {checker['down']} down,"
        f" {checker['unknown']} unknown), {checker['unlisted']} of at most"
        f" {checker['unlisted_limit']} that no bundle lists"
        f" ({checker['unlisted_evicted']} given up for others,"
        f" {checker['unlisted_refused']} refused), {checker['restarts']} restarts"
    )
    if checker["barred"] or checker["computed"]:
        lines.append(
            f"NOT CHECKED {checker['barred']} times an address that checks may not reach,"
            f" {checker['computed']} times what a query made up; lzc ctl health has the reasons"
        )
    lines += _recorder_lines(answer["recorder"])
    lines += [
        _stale_geo(one)
        if one["error"]
        else f"geo         {shown(one['path'])}, read {age(one['read'])} ago"
        for one in answer["geo"]
    ]
    lines += tls_lines(answer)
    lines += _key_lines(answer)
    if answer["settings"]:
        pending = clauses(str(answer["settings"]))
        lines.append(f"SETTINGS    {pending}")
    if checker["unsaved"]:
        lines.append(f"NOT SAVED   health, and what is forced: {shown(checker['unsaved'])}")
    if answer.get("gone"):
        lines.append(
            "NOTHING IS LIVE: current is gone; this bundle is served, but the next start would"
            " fail: lzc build"
        )
    if answer["refused"]:
        refused = answer["refused"]
        why = clauses(str(refused["why"]))
        lines.append(
            f"REFUSED     {refused['bundle'] or 'the live bundle'}, for {age(refused['since'])}"
            f" ({refused['tries']} tries, the last one {age(refused['at'])} ago): {why}"
        )
    lines += _fallen_lines(answer)
    lines += [
        f"SERIAL ENDS {shown(one['zone'])} has {one['serial']}, {one['left']} below the last one:"
        f" lzc serial plan {shown(one['zone']).rstrip('.') or '.'}"
        for one in answer["serials_near_end"]["zones"]
    ]
    lines += kept_lines(answer)
    lines += [f"QUARANTINE  the LUA record at {one['name']}" for one in answer["quarantine"]]
    lines += [
        f"HELD BACK   code of zone {zone} that never ran to its end"
        for zone in answer["held_zones"]
    ]
    lines += [
        f"worker {one['index']:<4} pid {one['pid']}, {one['queries_udp'] + one['queries_tcp']}"
        f" queries, {one['restarts']} restarts{'' if one['ready'] else ', NOT READY'}"
        for one in answer["workers"]
    ]
    lines += secondary_lines(answer)
    return lines


def _recorder_lines(recorder: dict[str, Any]) -> list[str]:
    """Of dnstap and the query log, each where it is configured."""
    counts, lines = recorder["counts"], []
    behind = "the recorder runs no more" if not recorder["pid"] else ""
    if recorder["dnstap"] is not None:
        since = f", for {age(recorder['since'])}" if recorder["since"] else ""
        how = f"{'read' if recorder['streaming'] else 'NOT READ'}{since}"
        lost = counts["frames_unread"], counts["frames_slow"], counts["frames_behind"]
        lines.append(
            f"dnstap      {shown(recorder['dnstap'])} {behind or how};"
            f" {counts['frames_sent']} frames sent, {sum(lost)} lost ({lost[0]} without a reader,"
            f" {lost[1]} as it was slow, {lost[2]} as the recorder was behind)"
        )
    if recorder["query_log"]:
        left_out = counts["lines_unchosen"]
        lines.append(
            f"query log   {counts['lines_written']} lines, {counts['lines_lost']} not written,"
            f" {counts['lines_behind']} as the recorder was behind; {left_out} queries not chosen"
            f"{f'; {behind}' if behind else ''}"
        )
    return lines


_KEY_STATES = {"servfail": "SERVFAIL", "at risk": "KEYS RISK", "warning": "KEYS"}
"""What a line about the keys of a zone begins with."""


def _key_lines(answer: dict[str, Any]) -> list[str]:
    """Zones with something wrong with their keys, and TSIG keys that cannot be used."""
    lines = []
    told = answer["keys"][:_SHOWN]
    for one in told:
        what = {
            "servfail": f"all of {one['zone']}, by worker {', '.join(map(str, one['workers']))}",
            "at risk": f"{one['zone']} is served until a worker starts again",
            "warning": one["zone"],
        }[one["state"]]
        head = _KEY_STATES[one["state"]]
        lines.append(f"{head:<11} {what}: {shown(one['place'])}: {shown(one['problem'])}")
        lines.append(f"            fix: {shown(one['fix'])}")
    more = answer["zones_with_key_faults"] - len({one["zone"] for one in told})
    if more:
        lines.append(f"            and {more} more zones with something wrong with their keys")
    for one in answer["tsig"]:
        lines.append(
            f"TSIG KEY    {one['key']}: no transfer and no NOTIFY with it:"
            f" {shown(one['place'])}: {shown(one['problem'])}"
        )
        lines.append(f"            fix: {shown(one['fix'])}")
    return lines


def _health_lines(answer: dict[str, Any]) -> list[str]:
    return [_health_line(one) for one in answer["checks"]] or ["no health checks"]


def _health_line(one: dict[str, Any]) -> str:
    status = "drained" if one["forced"] == "drain" else one["status"]
    line = f"{status:<8} {one['key'][:_ID]}  {one['check']}"
    if one["since"]:
        line += f", for {age(one['since'])}"
    if one["forced"]:
        left = one["forced_for"]
        line += ", by hand" if left is None else f", by hand for another {seconds(max(0, left))}"
        line += f" (checks find it {one['found']})"
    if one["checked"]:
        line += f", {one['latency'] * 1000:.1f} ms"
    if one["zone"]:
        line += f", listed in no bundle, for code of {shown(one['zone'])}"
    if one["weight"] != 1:
        line += f", weight {one['weight']}"
    if one["failures"] > 1:
        line += f", {one['failures']} failures in a row"
    return line + (f": {shown(one['error'])}" if one["error"] else "")


def _force_lines(answer: dict[str, Any]) -> list[str]:
    count, state = answer["checks"], answer["state"]
    if state == "auto":
        said = "is left to its checks again"
    else:
        said = f"is forced to {state}"
        if answer["seconds"]:
            said += f" for {seconds(answer['seconds'])}"
    about = f"{count} check{'' if count == 1 else 's'}" if count else "no check at present"
    return [f"{shown(answer['target'])} {said}: {about}"]
