"""What is wrong between settings of an ``lzc.toml``: names that lead nowhere, and settings that
contradict each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

from lzc.config.policies import BUILT_IN, nonsense
from lzc.config.secret_files import from_base64, no_base64
from lzc.config.sections import parse_endpoint
from lzc.config.tls import check_tls
from lzc.faults import Fault, Place

if TYPE_CHECKING:
    from lzc.config.whole import Config

_Locate = Callable[..., Place]
"""Gives where in the file a key stands, by the names that lead to it."""


def cross_check(config: Config, path: str, text: str) -> Iterator[Fault]:
    """What is wrong with settings whose values are right each by itself; ``text`` is what the file
    at ``path`` holds."""

    def place(*where: str | int) -> Place:
        # Here, as most files are right.
        from lzc.config.faults import locate

        return locate(path, text, where)

    for check in (_policies, _secondaries, check_tls, _keystore, _serving, _tsig):
        yield from check(config, place)


def _policies(config: Config, place: _Locate) -> Iterator[Fault]:
    known = [*BUILT_IN, *config.policy]
    named: list[tuple[tuple[str, ...], str]] = [(("dnssec", "policy"), config.dnssec.policy)]
    named += [
        (("zone", name, "policy"), section.policy)
        for name, section in config.zone.items()
        if section.policy is not None
    ]
    for where, name in named:
        if name not in known:
            # Here, as most files are right.
            import difflib

            close = difflib.get_close_matches(name, known, n=1)
            yield Fault(
                place(*where),
                "policy-unknown",
                f"there is no policy {name!r}",
                fix=f'did you mean "{close[0]}"?'
                if close
                else f"add a table [policy.{json.dumps(name)}], or take one of: {', '.join(known)}",
            )
    for name, policy in config.policy.items():
        if name in BUILT_IN:
            yield Fault(
                place("policy", name),
                "policy-built-in",
                f"policy {name!r} is there without a table",
                "with another content, its name would mislead",
                "give it another name, and name that one in policy",
            )
        for key, problem, why, fix in nonsense(policy):
            yield Fault(place("policy", name, key), "policy-nonsense", problem, why, fix)


def _secondaries(config: Config, place: _Locate) -> Iterator[Fault]:
    names = {name.rstrip(".").lower() for name in config.tsig}
    needs_key = config.serve.tsig_required
    for index, secondary in enumerate(config.secondary):
        if secondary.tsig is not None and secondary.tsig.rstrip(".").lower() not in names:
            yield Fault(
                place("secondary", index, "tsig"),
                "tsig-key-unknown",
                f"secondary {secondary.name} uses TSIG key {secondary.tsig}, which is not here",
                fix=f'add [tsig."{secondary.tsig}"] with a secret-file',
            )
        elif secondary.tsig is None and needs_key and not secondary.shows_certificate:
            yield Fault(
                place("secondary", index),
                "tsig-required",
                f"secondary {secondary.name} has no TSIG key",
                why="anyone who can forge its address could read the zones and their Lua code",
                fix="give it tsig = ..., or tls-pins, or set tsig-required = false in [serve]",
            )


def _keystore(config: Config, place: _Locate) -> Iterator[Fault]:
    dnssec = config.dnssec
    if dnssec.keystore_passphrase_file is not None and dnssec.keystore_key_file is not None:
        yield Fault(
            place("dnssec", "keystore-key-file"),
            "keystore-secret",
            "private keys are sealed with a passphrase or with a key, not with both",
            fix="keep keystore-passphrase-file or keystore-key-file",
        )


def _serving(config: Config, place: _Locate) -> Iterator[Fault]:
    versions = [ip_address(one).version for one in config.serve.notify_source]
    if len(set(versions)) < len(versions):
        yield Fault(
            place("serve", "notify-source"),
            "notify-source",
            "notify-source has two addresses of one family",
            "NOTIFY leaves from one of them, which secondaries have to know as the primary's",
            "keep one IPv4 and one IPv6 address at most",
        )
    http = config.serve.http
    if http is not None and config.serve.http_token_file is None:
        host = ip_address(parse_endpoint(http)[0])
        if not host.is_loopback:
            yield Fault(
                place("serve", "http"),
                "http-open",
                f"http = {http} is beyond loopback, and anybody there may read it",
                "it names zones, targets of health checks, and secondaries",
                "set http-token-file, or an address of loopback such as 127.0.0.1:8053",
            )


def _tsig(config: Config, place: _Locate) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for name, section in config.tsig.items():
        first = seen.setdefault(name.rstrip(".").lower(), name)
        if first != name:
            yield Fault(
                place("tsig", name),
                "tsig-key-twice",
                f"TSIG keys {first} and {name} have the same name",
                "names are compared without case and final dot; one secret would never be used",
                "keep one of them",
            )
        if section.secret is not None and not from_base64(section.secret):
            yield no_base64(place("tsig", name, "secret"), name)
        if (section.secret is None) == (section.secret_file is None):
            yield Fault(
                place("tsig", name),
                "tsig-secret",
                f"TSIG key {name} needs exactly one of secret and secret-file",
            )
