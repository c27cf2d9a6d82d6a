"""The settings that the manual shows for zones over TLS make a secondary of BIND, NSD and Knot."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import LOOPBACK, free_port, serial_at, wait_until
from tests.peers._peers.releases import BIND, KNOT, NSD, Release
from tests.peers.test_manual_other_secondaries import OWN_KEY
from tests.unit.certificates import make
from tests.unit.live_server import TSIG_SECRET, LiveServer, Project
from tests.unit.manual.shown import fences, sources
from tests.unit.serve.test_tls import tls_port

ZONE = "static.example"
FILES = re.compile(r"/etc/\w+/ns1\.pem")


def shown(kind: str) -> list[str]:
    """What the chapter shows of a kind."""
    return [text for one, _, text in fences(sources()["xot"]) if one == kind]


@pytest.mark.parametrize("release", [BIND[0], NSD[0], KNOT[1]], ids=str)
def test_it_takes_the_zone_over_tls_and_what_changes_in_it(
    release: Release, tmp_path: Path
) -> None:
    release.require()
    port = free_port()
    pair = make("ns1.example.net")
    (tmp_path / "keys").mkdir()
    certificate, _ = pair.write(tmp_path / "keys", "tls")
    serving, listed = shown("toml")[:2]
    toml = serving.replace("192.0.2.1:853", "127.0.0.1:0")
    toml += f'[tsig."transfer.example.net."]\nsecret = "{TSIG_SECRET}"\n'
    toml += listed.replace("192.0.2.3:53", f"{LOOPBACK}:{port}")
    project = Project(tmp_path, toml)
    project.build({f"{ZONE}.": "www A 192.0.2.80\n"})
    with LiveServer(project) as server:
        pin = server.control("status")["tls"]["pin"]
        (text,) = shown(release.software)
        text = text.replace("192.0.2.1", LOOPBACK).replace("853", str(tls_port(server)))
        text = FILES.sub(str(certificate), text)
        text = text.replace("SECRET", TSIG_SECRET).replace("PIN", pin)
        kind = KINDS[release.software]
        head, count = OWN_KEY.subn("", kind.head)
        assert count == 1
        if release.software == "nsd":
            # One section of a kind is enough for a file.
            bundle = re.search(r"server:\n( +tls-cert-bundle: .*\n)", text)
            assert bundle is not None
            text = text.replace(bundle[0], "")
            head = head.replace("server:\n", f"server:\n{bundle[1]}", 1)
        escaped = text.replace("{", "{{").replace("}", "}}")
        peer = replace(kind, head=head, primary=escaped, transferred="")
        with peer.secondary(tmp_path / release.software, port, 0, [ZONE], release):
            server.wait_for(lambda: server.logged("over TLS"))
            project.build({f"{ZONE}.": "new A 192.0.2.81\n"}, serial=2)
            wait_until(lambda: serial_at(port, ZONE) == 2, "a transfer after NOTIFY")
            assert server.control("status")["secondaries"][0]["transfers"]["refused"] == {}
