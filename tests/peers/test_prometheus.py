"""Prometheus scrapes a running lzc: its rules are valid, each fires for what it is about and for
nothing else, and every query of the dashboard has data."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.tsigkeyring
import dns.zone
import pytest

from lzc.cli.export.prometheus import rendered
from lzc.health_check import Check
from lzc.serve.observe.exposition import text
from tests.patience import PATIENCE
from tests.peers._peers import find, require
from tests.peers._peers.process import LOOPBACK, free_port, running
from tests.unit.live_server import TSIG_NAME, TSIG_SECRET
from tests.unit.serve.all_seen import all_seen
from tests.unit.serve.test_metrics import SECONDARY, Served

SAMPLE = re.compile(r"^([a-z_:]+)(\{.*\})? (\S+)$")
LATER = ("lzc_transfer_refusals_total{", "lzc_zone_keys_end_timestamp_seconds{")
HOUR = 60
"""Minutes of each test of a rule."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with something of everything: a target that is down, code that fails, transfers that
    were done and refused, keys that end."""
    require("prometheus", "promtool")
    port = free_port()
    more = SECONDARY.format(port=port)
    made = Served(tmp_path_factory.mktemp("lzc"), 'http-compat = "powerdns"', more)
    for file in (made.project.folder / "keys").glob("*.private"):
        file.write_text(f"{file.read_text()}Inactive: 20990101000000\n")
    down = Check(LOOPBACK, free_port())
    up = Check(LOOPBACK, made.target.getsockname()[1])
    plain = f"only LUA A \"ifportup({down.port}, {{'{LOOPBACK}'}})\"\n"
    made.project.build(
        {"example.org.": made.zone + plain}, serial=3, signed=["example.org."], checks=[up, down]
    )
    with made.target, made.server as server:
        keys = dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET})
        zone = dns.zone.Zone("example.org.")
        query = dns.message.make_query("example.org.", "AXFR")
        query.use_tsig(keys)
        dns.query.inbound_xfr(LOOPBACK, zone, query, port=server.port, timeout=PATIENCE)
        server.ask("example.org.", "AXFR", tcp=True)
        for name in ("bad", "only", "ns1", "ns1"):
            server.ask(f"{name}.example.org")
        server.wait_for(lambda: server.logged("http: metrics at"))
        made.wait_for("lzc_health_records_without_target", 1)
        # What is told to the supervisor, or looked at by it, comes a moment later.
        server.wait_for(lambda: all(map(partial(_gives, made), LATER)))
        yield made


def _gives(made: Served, series: str) -> bool:
    return any(name.startswith(series) for name in made.metrics.values())


@pytest.fixture(scope="module")
def scraped(served: Served) -> dict[str, str]:
    """The value of each series that it gives, and of those beside them that it would give if more
    happened."""
    found = {}
    for whole in (text(all_seen(os.getpid())), served.metrics.get()[2]):
        for line in whole.decode().splitlines():
            sample = SAMPLE.match(line)
            if sample is not None:
                name, labels, value = sample.groups()
                found[f"{name}{labels or '{}'}"] = value
    return found


def promtool(*arguments: str, given: bytes = b"") -> str:
    program = find("promtool")
    assert program is not None
    done = subprocess.run([program, *arguments], input=given, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode() + done.stderr.decode()


def test_promtool_has_nothing_to_say_of_the_metrics(served: Served) -> None:
    ours = [
        line for line in served.metrics.get()[2].decode().splitlines() if "pdns_auth_" not in line
    ]
    assert promtool("check", "metrics", given="\n".join([*ours, ""]).encode()) == ""


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    require("promtool")
    (tmp_path / "lzc.rules.yml").write_text(rendered("lzc")["lzc.rules.yml"])
    assert "SUCCESS" in promtool("check", "rules", str(tmp_path / "lzc.rules.yml"))


QUIET = {
    r"up\{": "1",
    r"lzc_process_ready": "1",
    r"lzc_(bundle_gone|zones_with_failed_source)": "0",
    r"lzc_(bundle_refused|settings_pending|zones_with_fallen_serial|lua_quarantined)": "0",
    r"lzc_(geo_database_stale|health_unsaved|lua_zone_held|zone_key_fault)": "0",
    r"lzc_health_record_without_target": "0",
    r"lzc_.*_total": "5",
    r"lzc_lua_zone_most_instructions": "800",
    r"lzc_health_checks\{state=\"down\"": "0",
    r"lzc_health_check_latency_seconds": "0.01",
    r"lzc_health_late_checks": "0",
    r"lzc_secondary_zone_lag_seconds": "0",
    r"lzc_secondary_answering": "1",
    r"lzc_secondary_zones\{.*state=\"ahead\"": "0",
    r"lzc_zone_keys_end_timestamp_seconds": "4000000",
    r"lzc_zone_serial_left": "2000000000",
}
"""What a server gives of which there is nothing to tell, where it is another than this one."""

BROKEN: dict[str, dict[str, str]] = {
    "LzcDown": {r"up\{": "0"},
    "LzcWorkerNotReady": {r"lzc_process_ready\{process=\"worker-0\"": "0"},
    "LzcProcessRestarts": {r"lzc_process_restarts_total\{process=\"worker-0\"": "0+1x60"},
    "LzcUnexpectedErrors": {r"lzc_unexpected_errors_total": "0+1x60"},
    "LzcBundleRefused": {r"lzc_bundle_refused": "1"},
    "LzcNothingLive": {r"lzc_bundle_gone": "1"},
    "LzcZonesFailed": {r"lzc_zones_with_failed_source\{state=\"kept\"": "1"},
    "LzcReloadFailed": {r"lzc_reloads_total\{result=\"refused\"": "0+1x60"},
    "LzcSettingsPending": {r"lzc_settings_pending": "1"},
    "LzcLogLost": {r"lzc_log_lines_lost_total": "0+1x60"},
    "LzcGeoDatabaseStale": {r"lzc_geo_database_stale": "1"},
    "LzcServfailRate": {
        r"lzc_answers_total\{.*rcode=\"SERVFAIL\"": "0+2x60",
        r"lzc_queries_total\{.*transport=\"udp\"": "0+100x60",
    },
    "LzcQueryRateSpike": {
        r"lzc_queries_total\{.*transport=\"udp\"": "0+18000x60",
        r"lzc_packet_cache_hits_total": "0+17000x60",
    },
    "LzcPacketCacheHitRateLow": {
        r"lzc_queries_total\{.*transport=\"udp\"": "0+6000x60",
        r"lzc_packet_cache_hits_total": "0+600x60",
        r"lzc_process_cpu_seconds_total\{mode=\"user\",process=\"worker-0\"": "0+40x60",
    },
    "LzcLuaFailing": {r"lzc_lua_failures_total\{kind=\"error\"": "0+2x60"},
    "LzcLuaNearLimit": {r"lzc_lua_zone_most_instructions": "801"},
    "LzcLuaQuarantine": {r"lzc_lua_quarantined": "1"},
    "LzcLuaZoneHeld": {r"lzc_lua_zone_held": "1"},
    "LzcChecksStale": {r"lzc_health_late_checks": "1"},
    "LzcProbesTimeOut": {r"lzc_health_check_latency_seconds": "2"},
    "LzcManyTargetsDown": {r"lzc_health_checks\{state=\"down\"": "5"},
    "LzcAllTargetsDown": {r"lzc_health_record_without_target\{owner=\"only": "1"},
    "LzcHealthUnsaved": {r"lzc_health_unsaved": "1"},
    "LzcSecondarySilent": {r"lzc_secondary_answering\{secondary=\"ns2\"": "0"},
    "LzcSecondaryBehind": {
        r"lzc_secondary_zone_lag_seconds\{secondary=\"ns2\"": "0+60x60",
    },
    "LzcSecondaryExpiring": {
        r"lzc_secondary_zone_lag_seconds\{secondary=\"ns2\"": "700000",
    },
    "LzcSecondaryRepeats": {r"lzc_secondary_zones_repeating\{secondary=\"ns2\"": "1"},
    "LzcSecondaryAhead": {r"lzc_secondary_zones\{secondary=\"ns2\",state=\"ahead\"": "1"},
    "LzcTransfersRefused": {r"lzc_transfer_refusals_total\{.*secondary=\"ns2\"": "0+1x60"},
    "LzcSerialsFell": {r"lzc_zones_with_fallen_serial": "1"},
    "LzcSerialNearItsEnd": {r"lzc_zone_serial_left\{zone=\"example.org.\"": "200000000-5000000x60"},
    "LzcZoneOutOfService": {r"lzc_zone_key_fault\{": "1"},
    "LzcZoneKeysAtRisk": {r"lzc_zone_key_fault\{": "1"},
    "LzcZoneKeysEnd": {r"lzc_zone_keys_end_timestamp_seconds\{zone=\"example.org.\"": "400000"},
    "LzcZoneKeysEndNow": {r"lzc_zone_keys_end_timestamp_seconds\{zone=\"example.org.\"": "40000"},
}
"""For each alert, what its server gives instead while something is wrong, at one minute each."""

ALSO = {
    "LzcSecondaryExpiring": {"LzcSecondaryBehind"},
    "LzcZoneKeysEndNow": {"LzcZoneKeysEnd"},
}
"""What else is wrong then."""
STATES = {"LzcZoneOutOfService": "servfail", "LzcZoneKeysAtRisk": "at risk"}


def alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", rendered("lzc")["lzc.rules.yml"])


def series(scraped: dict[str, str], broken: dict[str, str], state: str) -> list[dict[str, str]]:
    """What Prometheus is given of a server that is as it should be but for ``broken``, of which
    every part is about the first series with such a name."""
    given = []
    unused = set(broken)
    for name, value in {"up{}": "1", **scraped}.items():
        shown = value
        for pattern, values in QUIET.items():
            if re.match(pattern, name):
                shown = values
        for pattern in [one for one in unused if re.match(one, name)]:
            shown = broken[pattern]
            unused.discard(pattern)
        whole = name.replace("{", '{job="lzc",instance="a",', 1).replace(",}", "}")
        if name.startswith("lzc_zone_key_fault"):
            whole = whole.replace('state="warning"', f'state="{state}"')
        steady = not re.search(r"[+-]\d+x\d+$", shown)
        given.append({"series": whole, "values": f"{shown}+0x{HOUR}" if steady else shown})
    assert not unused
    return given


def fired(
    folder: Path, given: list[dict[str, str]], minutes: int = HOUR, each: str = "1m"
) -> set[str]:
    """The alerts that fire after an hour, or so many minutes, as promtool finds them; of samples of
    ``each`` time."""
    (folder / "lzc.rules.yml").write_text(rendered("lzc")["lzc.rules.yml"])
    expected = [{"labels": '{alertname="none"}', "value": 1}]
    query = 'count by (alertname) (ALERTS{alertstate="firing"}) * 0 + 1'
    asked = {"expr": query, "eval_time": f"{minutes}m", "exp_samples": expected}
    file = folder / "test.yml"
    one = {"interval": each, "input_series": given, "promql_expr_test": [asked]}
    document = {"rule_files": ["lzc.rules.yml"], "evaluation_interval": "1m", "tests": [one]}
    file.write_text(json.dumps(document))
    program = find("promtool")
    assert program is not None
    done = subprocess.run(
        [program, "test", "rules", str(file)], capture_output=True, text=True, timeout=PATIENCE
    )
    said = done.stdout + done.stderr
    assert "expr:" in said, said
    got = said[said.index("got:") :] if "got:" in said else ""
    assert got, said
    return set(re.findall(r'alertname="(\w+)"', got))


def test_every_alert_is_tried() -> None:
    assert sorted(alerts()) == sorted(BROKEN)


def test_of_a_server_as_it_should_be_there_is_no_alert(
    scraped: dict[str, str], tmp_path: Path
) -> None:
    assert fired(tmp_path, series(scraped, {}, "warning")) == set()


@pytest.mark.parametrize("alert", BROKEN)
def test_an_alert_fires_for_what_it_is_about_alone(
    alert: str, scraped: dict[str, str], tmp_path: Path
) -> None:
    given = series(scraped, BROKEN[alert], STATES.get(alert, "warning"))
    assert fired(tmp_path, given) == {alert} | ALSO.get(alert, set())


def test_the_first_refusal_is_told_before_there_is_another(
    scraped: dict[str, str], tmp_path: Path
) -> None:
    """Its row was not there before it."""
    first = {r"lzc_transfer_refusals_total\{.*secondary=\"ns2\"": "_x50 1+0x10"}
    assert fired(tmp_path, series(scraped, first, "warning")) == {"LzcTransfersRefused"}
    # Prometheus was not there itself.
    back = series(scraped, first, "warning")
    for one in back:
        if one["series"].startswith("up{"):
            one["values"] = "_x50 1x10"
    assert fired(tmp_path, back) == set()


@pytest.mark.parametrize(
    ("yesterday", "today", "spikes"),
    [(50, 300, True), (50, 190, False), (150, 300, False), (5000, 5000, False), (None, 300, True)],
)
def test_a_rate_is_a_spike_where_yesterday_had_less_than_a_third_of_it(
    yesterday: int | None, today: int, spikes: bool, tmp_path: Path
) -> None:
    """Rates a second, for two days and then for an hour; `None`: there was no server."""
    days, each = 2 * 24 * 30, 120
    past = f"_x{days}" if yesterday is None else f"0+{each * yesterday}x{days}"
    since = each * (yesterday or 0) * days
    values = f"{past} {since}+{each * today}x30"
    cached = values.replace("_", "0")
    name = '{job="lzc",instance="a",transport="udp"}'
    given = [
        {"series": f"lzc_queries_total{name}", "values": values},
        {"series": f"lzc_packet_cache_hits_total{name}", "values": cached},
        {"series": 'up{job="lzc",instance="a"}', "values": f"1x{days + 31}"},
    ]
    minutes = (days + 31) * each // 60
    assert fired(tmp_path, given, minutes, "2m") == ({"LzcQueryRateSpike"} if spikes else set())


@pytest.mark.parametrize(
    ("queries", "failed", "fires"),
    [("0+0x40 1+0x4 2+0x16", "0+0x40 1+0x4 2+0x16", False), ("0+3x60", "0+2x60", True)],
    ids=["two in the night", "two in three"],
)
def test_few_queries_that_fail_wake_nobody(
    queries: str, failed: str, fires: bool, scraped: dict[str, str], tmp_path: Path
) -> None:
    broken = {
        r"lzc_answers_total\{.*rcode=\"SERVFAIL\"": failed,
        r"lzc_queries_total\{.*transport=\"udp\"": queries,
    }
    given = series(scraped, broken, "warning")
    looked = (42, 46, 47, 48, 50, 51, 52, 55, HOUR)
    found = set().union(*(fired(tmp_path, given, minutes) for minutes in looked))
    assert found == ({"LzcServfailRate"} if fires else set())


class Prometheus:
    """A server at a port."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, query: str) -> list[Any]:
        what = urllib.parse.urlencode({"query": query})
        url = f"http://{LOOPBACK}:{self.port}/api/v1/query?{what}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
            return found


@pytest.fixture(scope="module")
def prometheus(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    (folder / "lzc.rules.yml").write_text(rendered("lzc")["lzc.rules.yml"])
    target = f"{LOOPBACK}:{served.metrics.port}"
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "lzc.rules.yml")],
        "scrape_configs": [{"job_name": "lzc", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    program = find("prometheus")
    assert program is not None
    arguments = [
        program,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={LOOPBACK}:{port}",
    ]
    with running(arguments, folder, "prometheus"):
        made = Prometheus(port)

        def scrapes() -> bool:
            try:
                return made.ask('count_over_time(lzc_zones{job="lzc"}[1m]) > 2') != []
            except OSError:
                return False

        served.server.wait_for(scrapes)
        yield made


def queries() -> list[str]:
    """Those of the dashboard, for all servers."""
    dashboard = json.loads(rendered("lzc")["lzc-dashboard.json"])
    return [
        target["expr"].replace("$instance", ".*").replace("$__rate_interval", "1m")
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]


def test_every_query_of_the_dashboard_has_data(served: Served, prometheus: Prometheus) -> None:
    assert len(queries()) > 30
    served.server.ask("ns1.example.org")
    for query in queries():
        served.server.wait_for(partial(prometheus.ask, query))


def test_an_alert_is_pending_where_a_real_server_has_something_wrong(
    served: Served, prometheus: Prometheus
) -> None:
    for alert in ("LzcAllTargetsDown", "LzcSecondarySilent"):
        query = f'ALERTS{{alertname="{alert}"}}'
        served.server.wait_for(partial(prometheus.ask, query))
