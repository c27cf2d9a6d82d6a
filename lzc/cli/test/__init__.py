"""``lzc test``: the answers held against what the project expects of them."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

import click

from lzc import config as settings
from lzc.bundle.reader import Bundle
from lzc.bundle.unusable import usable
from lzc.cli import explanation
from lzc.cli.faults import tell
from lzc.cli.options import bundle_option, config_option, format_option
from lzc.cli.query import output as query_output
from lzc.cli.screen import echo, echo_json
from lzc.cli.test import verdicts
from lzc.cli.test.verdicts import Verdict
from lzc.config import Config
from lzc.contained import Begin, Contained, Ended, Home, patience
from lzc.faults import Fault, InputError
from lzc.private_folder import private_folder
from lzc.rehearse.assumed import LOOPBACK, Circumstances
from lzc.rehearse.expectation import Expectation, Failure, Seen, judge, see
from lzc.rehearse.expectation_file import read_expectations
from lzc.rehearse.explain import explain
from lzc.rehearse.rehearsal import Scene, Staging
from lzc.rehearse.staging import open_bundle, stage
from lzc.rehearse.validation import Validator
from lzc.wire import name as wire_name
from lzc.wire import rrtype


@click.command("test")
@click.argument(
    "files",
    nargs=-1,
    type=click.Path(path_type=Path),
    help="TOML with [[test]] tables.  [default: tests.toml and tests/*.toml beside lzc.toml]",
)
@config_option
@bundle_option
@click.option(
    "--build",
    "from_sources",
    is_flag=True,
    help="Test the sources as they are now: build them into a temporary folder first.",
)
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a report in JUnit's format.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    metavar="N",
    help="Where random choices start.",
)
@click.option("-v", "--verbose", is_flag=True, help="List the tests that pass, too.")
@format_option
def command(
    files: tuple[Path, ...],
    config_path: Path,
    bundle_path: Path | None,
    from_sources: bool,
    junit: Path | None,
    seed: int,
    verbose: bool,
    output_format: str,
) -> None:
    """Hold the answers of the live bundle against expectations.

    Answers that depend on chance are asked for until nothing new comes. Exits with 1 when a test
    fails.
    """
    if from_sources and bundle_path is not None:
        raise click.UsageError("--build and --bundle exclude each other")
    config = settings.load(config_path)
    now = time.time()
    with _bundle(config, config_path, bundle_path, from_sources) as bundle:
        expectations = _read(files or _default_files(config_path), bundle, now)
        folder = bundle.path
        base = ["lzc", "query"]
        if config_path != Path("lzc.toml"):
            base += ["-c", str(config_path)]
        if bundle_path is not None:
            base += ["--bundle", str(bundle_path)]
        asked = [(one, client) for one in expectations for client in one.clients]
        found = list(_verdicts(config, folder, asked, seed, base))
    if junit is not None:
        junit.write_bytes(verdicts.as_junit(found, time.time() - now))
    if output_format == "json":
        echo_json(verdicts.as_dict(found))
    else:
        echo(verdicts.as_text(found, verbose=verbose))
    if any(verdict.failures for verdict in found):
        click.get_current_context().exit(1)


@contextmanager
def _bundle(
    config: Config, config_path: Path, path: Path | None, from_sources: bool
) -> Iterator[Bundle]:
    """The bundle to test. Raises `InputError`."""
    with private_folder("test") as folder:
        if from_sources:
            from lzc.compiler import pipeline

            # Both folders have a lock, of the same name.
            output = folder / "build"
            # What is tested is what the sources say, and nothing is live there that could be kept.
            path = pipeline.build(config, output, config_path=config_path, keep=False).folder
        where = path or config.output
        given = path is not None
        with usable(where, config_path, given=given), open_bundle(config, path) as bundle:
            yield bundle


def _default_files(config_path: Path) -> list[Path]:
    folder = config_path.parent
    found = [path for path in (folder / "tests.toml",) if path.is_file()]
    found += sorted((folder / "tests").glob("*.toml"))
    if not found:
        raise InputError.at(
            folder / "tests.toml",
            "test-file-missing",
            "no tests here, nor in tests/*.toml",
            fix="write [[test]] tables with name, type, client and what must be answered",
        )
    return found


def _read(files: tuple[Path, ...] | list[Path], bundle: Bundle, now: float) -> list[Expectation]:
    """All expectations. Raises `InputError` with the faults of all files."""
    found: list[Expectation] = []
    faults: list[Fault] = []

    def is_served(name: bytes) -> bool:
        return bundle.find_zone(name) is not None

    for file in files:
        try:
            text, data = settings.read_toml(file, fix="name a file of [[test]] tables")
            found += read_expectations(str(file), text, data, now, is_served)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    return found


_Asked: TypeAlias = tuple[Expectation, Circumstances]


def _verdicts(
    config: Config, folder: Path, asked: Sequence[_Asked], seed: int, base: list[str]
) -> Iterator[Verdict]:
    """The verdicts in order, from a process that can be ended: that of code which does not come
    back fails, and the others are there all the same."""

    @cache
    def staging(begin: Begin) -> Staging:
        """In the child, which has the bundle to itself."""
        return replace(stage(config, Bundle.open(folder), tell=tell), begin=partial(begin, 0))

    def judge_one(number: int, begin: Begin, _home: Home) -> Verdict:
        return _verdict(staging(begin), *asked[number], seed, base)

    seconds, memory = patience(config.lua.time_limit), 2 * config.lua.memory_limit
    with closing(Contained(judge_one, seconds=seconds, memory=memory)) as child:
        for number, (expectation, client) in enumerate(asked):
            try:
                yield child.ask(number)
            except Ended as ended:
                failure = Failure("an answer", f"none: code was run, and {ended.why}", 1, seed)
                again = _again(base, expectation, client, seed)
                yield Verdict(expectation, client, (failure,), 1, 0.0, again, "")


def _verdict(
    staging: Staging, expectation: Expectation, client: Circumstances, seed: int, base: list[str]
) -> Verdict:
    """Ask one question as one client, as often as chance asks for."""
    started = time.perf_counter()
    qname, qtype = expectation.qname, expectation.qtype
    scene = Scene(staging, client)
    validator = _validator(staging, client) if expectation.rules.signed else None
    known: dict[bytes, Seen] = {}
    answers: list[Seen] = []
    for answer in scene.ask_often(qname, qtype, seed):
        if answer.wire not in known:
            insecure = () if validator is None else validator.faults(qname, qtype, answer.wire)
            known[answer.wire] = see(answer.wire, qtype, answer.seed, insecure)
        answers.append(known[answer.wire]._replace(seed=answer.seed))
    failures = [Failure("an answer", "silence", 0, seed)]
    if answers:
        failures = judge(expectation.rules, qtype, answers)
    first = failures[0].seed if failures else seed
    explained = explain(staging, client, qname, qtype, first) if failures and answers else None
    told = ""
    if explained is not None:
        answer, found = explained
        told = explanation.as_text(found, query_output.read(answer))
    seconds = time.perf_counter() - started
    again = _again(base, expectation, client, first)
    return Verdict(expectation, client, tuple(failures), len(answers), seconds, again, told)


def _validator(staging: Staging, client: Circumstances) -> Validator:
    """Knows the keys that the same client would be given."""
    scene = Scene(staging, client)

    def ask_keys(zone: bytes) -> bytes | None:
        answer = scene.ask(zone, rrtype.DNSKEY, 0)
        return answer.wire if answer is not None else None

    return Validator(staging.bundle, ask_keys, client.now)


def _again(base: list[str], expectation: Expectation, client: Circumstances, seed: int) -> str:
    """The command line with which `lzc query` asks the same, and says why."""
    name = wire_name.to_text(expectation.qname)
    words = [*base, name.rstrip(".") or ".", rrtype.to_text(expectation.qtype)]
    for what, value in verdicts.circumstances(client).items():
        if what == "health":
            for target, status in value.items():
                words += [f"--{status}", target]
        elif what == "client":
            words += [] if client.client == LOOPBACK else ["--from", value]
        elif value is not None:
            words += [f"--{what}", value]
    words += ["--dnssec"] * client.dnssec + ["--tcp"] * client.tcp
    return shlex.join([*words, "--seed", str(seed), "--explain"])
