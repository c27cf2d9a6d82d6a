"""Our side: the zones as they are now, built, served over TCP and TLS, and reloaded."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.peers._peers.process import LOOPBACK, free_port
from tests.peers._peers.project import TSIG_NAME
from tests.soak.chaos.stage import Stage
from tests.soak.chaos.zones import ChaosZone
from tests.soak.transfers.content import Content
from tests.soak.transfers.peers import TLS_KEY, Follower
from tests.unit.certificates import make

JUDGE: Final = "judge.example."
"""The key of who compares: it opens every zone, also in the clear."""


class TransferStage(Stage):
    """A server whose zones are `Content`, with a certificate of a CA of its own."""

    def __init__(self, folder: Path, contents: Sequence[Content]) -> None:
        self.contents = {one.name: one for one in contents}
        self.tls_port = free_port()
        serve = (
            f'tls-listen = ["{LOOPBACK}:{self.tls_port}"]\n'
            'tls-certificate-file = "tls.pem"\ntls-key-file = "tls.key"\n'
        )
        zones = [ChaosZone(one.name, one.lua) for one in contents]
        folder.mkdir(parents=True)
        self.ca = make("the CA of the soak", ca=True)
        self.pair = make(issuer=self.ca)
        self.ca.write(folder, "ca")
        self.pair.write(folder, "tls")
        super().__init__(folder, zones, [], 0, workers=1, serve=serve)

    def renew(self) -> None:
        """Another certificate, with the same key."""
        make(issuer=self.ca, key=self.pair.key).write(self.folder, "tls")

    def write(self, name: str, generation: int) -> None:
        file = self.folder / "zones" / f"{name}.zone"
        fresh = file.with_suffix(".new")
        fresh.write_text(self.contents[name].text())
        fresh.rename(file)

    def list_secondaries(self, followers: Sequence[Follower]) -> None:
        """Have lzc.toml name them: those over TLS by a key of their own, and no zone in the
        clear."""
        text = self.config.read_text()
        for key in (TLS_KEY, JUDGE):
            text += f'[tsig."{key}"]\nsecret-file = "transfer.tsig"\n'
        for one in followers:
            assert one.notices is not None
            for over_tls, key in ((False, TSIG_NAME), (True, TLS_KEY)):
                zones = [zone.name for zone in one.zones if (zone.name in one.over_tls) == over_tls]
                if zones:
                    # That all of them keep the octets of LUA records is what is looked at: those
                    # that are not PowerDNS are called so, as nobody else gets any.
                    lua = any(self.contents[name].lua for name in zones)
                    software = "powerdns-5.1" if lua else one.software
                    text += (
                        f'[[secondary]]\nname = "{one.name}{"-tls" if over_tls else ""}"\n'
                        f'address = "{LOOPBACK}:{one.notices.port}"\nsoftware = "{software}"\n'
                        f'tsig = "{key}"\nrequire-tls = {json.dumps(over_tls)}\n'
                        f"zones = {json.dumps(zones)}\nsettings = {json.dumps(_settings(one))}\n"
                    )
        text += (
            f'[[secondary]]\nname = "judge"\naddress = "{LOOPBACK}:9"\nnotify = false\n'
            f'tsig = "{JUDGE}"\nsoftware = "powerdns-4.7"\n'
        )
        self.config.write_text(text)


def _settings(follower: Follower) -> list[str]:
    return ["enable-lua-record-updates"] if follower.release.software == "powerdns" else []


def contents(count: int, seed: int) -> list[Content]:
    """So many zones: two of them large, a quarter with LUA records."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        size = 3000 if number in (1, 2) else chance.randint(15, 120)
        lua = number % 4 == 3
        found.append(
            Content.made(f"zone{number}.example", size, lua, random.Random(chance.getrandbits(32)))
        )
    return found
