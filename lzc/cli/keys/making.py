"""``lzc keys generate``: make new keys of a zone."""

from __future__ import annotations

import difflib
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import click

from lzc import config
from lzc.cli.keys.arguments import (
    ALGORITHM,
    TOKEN,
    keystore_of,
    ksk_option,
    shell_name,
    told,
    zone_argument,
    zsk_option,
)
from lzc.cli.keys.rows import show
from lzc.cli.options import config_option, format_option
from lzc.cli.screen import echo
from lzc.config.policies import BUILT_IN
from lzc.dnssec import algorithms
from lzc.dnssec.key import SigningKey, tags_of
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.dnssec.token.uri import TokenUri
from lzc.faults import Fault, InputError, Severity
from lzc.wire import name as wire_name


@click.command()
@config_option
@zone_argument
@click.option(
    "--algorithm",
    type=ALGORITHM,
    metavar="NAME|NUMBER",
    help="RSASHA256, RSASHA512, ECDSAP256SHA256, ECDSAP384SHA384, ED25519 or ED448."
    " [default: of [dnssec]]",
)
@click.option(
    "--policy",
    metavar="NAME",
    help="csk (one key that does all), ksk-zsk, or a policy of lzc.toml. [default: the zone's]",
)
@ksk_option
@zsk_option
@click.option(
    "--bits",
    type=click.IntRange(2048, 4096),
    help="Length of an RSA modulus. [default: of the policy, 2048]",
)
@click.option(
    "--pkcs11",
    "token",
    type=TOKEN,
    metavar="URI",
    help="Make them in the token that the URI names; they never leave it.",
)
@click.option("--add", is_flag=True, help="Make them although the zone has active keys.")
@format_option
def generate(
    config_path: Path,
    zone: bytes,
    algorithm: int | None,
    policy: str | None,
    flags: int | None,
    bits: int | None,
    token: TokenUri | None,
    add: bool,
    output_format: str,
) -> None:
    """Make new keys for ZONE, active now.

    These are a CSK, or a KSK and a ZSK, by policy; with --ksk or --zsk, that one key.
    """
    if flags is not None and policy is not None:
        raise click.UsageError("--policy makes all keys of a zone; --ksk and --zsk make one")
    settings = config.load(config_path)
    keystore = keystore_of(settings)
    now = time.time()
    if policy is None:
        wanted = settings.key_policy(shell_name(zone))
    elif policy in (*BUILT_IN, *settings.policy):
        wanted = settings.policy_named(policy)
    else:
        known = ", ".join((*BUILT_IN, *settings.policy))
        raise click.BadParameter(f"{policy!r} is not one of {known}", param_hint="'--policy'")
    number = algorithm or wanted.algorithm
    which = FLAGS[wanted.keys] if flags is None else (flags,)

    def check_active() -> None:
        active = [key for key in keystore.load(zone) if key.timing.is_active(now)]
        if active and not add:
            raise _has_keys(keystore, zone, active)

    if token is not None and token.names_key:
        raise click.UsageError("--pkcs11 names the token only: lzc names the keys that it makes")
    within = None if token is None else f"--pkcs11={token}"
    command = told("generate", zone, f"--algorithm={algorithms.to_text(number)}", within, *which)
    made = keystore.generate(
        zone,
        number,
        which,
        now,
        bits=bits or wanted.rsa_bits,
        command=command,
        taken=_tags_in_source(settings, config_path, zone),
        unless=check_active,
        token=token,
    )
    show(made, keystore.load(zone), now, output_format)
    for warning in (_weak(settings, config_path, number), _unused(settings, config_path, made)):
        if warning is not None:
            echo(str(warning), err=True)


def _tags_in_source(settings: config.Config, config_path: Path, zone: bytes) -> set[int]:
    """The tags of keys that stand in the zone's file alone: resolvers that meet two of one try
    both, or give up (RFC 4034 appendix B)."""
    from lzc.compiler.inputs.sources import ConfigFile
    from lzc.compiler.inputs.zone_dnskeys import dnskeys_in_source

    file = ConfigFile.of(settings, config_path)
    return {tag for rdata in dnskeys_in_source(settings, file, zone) for tag in tags_of(rdata)}


def _has_keys(keystore: Keystore, zone: bytes, active: Sequence[SigningKey]) -> InputError:
    return InputError.at(
        keystore.path,
        "zone-has-keys",
        f"{wire_name.to_text(zone)} already has active keys: "
        + ", ".join(f"{key.tag} ({algorithms.to_text(key.algorithm)})" for key in active),
        why="one more key signs everything once more, and needs a DS at the parent",
        fix="add --add if that is what you want",
    )


def _weak(settings: config.Config, config_path: Path, number: int) -> Fault | None:
    """A warning of an algorithm that new zones had better not be signed with."""
    from lzc.compiler.inputs.sources import ConfigFile

    if number not in algorithms.NOT_RECOMMENDED:
        return None
    return Fault(
        ConfigFile.of(settings, config_path).place("[dnssec]"),
        "algorithm-not-recommended",
        f"{algorithms.to_text(number)} is not recommended for signing (RFC 8624 §3.1)",
        why="it is no stronger than RSASHA256, and fewer validators know it",
        fix="take ECDSAP256SHA256 (13) or ED25519 (15)",
        severity=Severity.WARNING,
    )


def _unused(settings: config.Config, config_path: Path, made: Sequence[SigningKey]) -> Fault | None:
    """A warning where nothing signs with new keys: the zone may come later, or be misspelt."""
    from lzc.compiler.inputs.sources import ConfigFile, find

    zone = made[0].zone
    file = ConfigFile.of(settings, config_path)
    zones, _ = find(settings, file)
    name = wire_name.to_text(zone)
    section = f'[zone."{name.rstrip(".") or "."}"]'
    source = next((one for one in zones if one.apex == zone), None)
    if source is not None and source.signed:
        return None
    if source is not None:
        problem, fix = f"zone {name} is not signed", f"set dnssec = true in {section}"
    else:
        near = difflib.get_close_matches(name, [one.name for one in zones], n=1)
        problem = f"the project has no zone {name}"
        problem += f"; did you mean {near[0]}" if near else ""
        tags = [str(key.tag) for key in made]
        words = ["lzc", "keys", "remove", "-c", str(config_path), shell_name(zone)]
        remove = shlex.join([*words, *tags, "--force", "--purge"])
        fix = f"add the zone, with dnssec = true in {section}; or else: {remove}"
    return Fault(
        file.place(section, "[build]"),
        "key-unused",
        f"{problem}: nothing uses the new key",
        fix=fix,
        severity=Severity.WARNING,
    )
