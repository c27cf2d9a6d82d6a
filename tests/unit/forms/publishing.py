"""A project whose zone is published in a form, and what a secondary gets of it."""

from __future__ import annotations

from pathlib import Path

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import dns.xfr
import dns.zone

from lzc import config
from lzc.answer.transfer import TransferPlan, open_transfer
from lzc.answer.transfer_access import TransferAccess
from lzc.answer.transfer_kinds import Kind
from lzc.bundle import current
from lzc.bundle.reader import Bundle
from lzc.compiler.pipeline import build
from lzc.config import View
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.forms.flatten import Evaluation
from lzc.forms.published import PublishedForms
from lzc.forms.publisher import FormPublisher, Published
from lzc.forms.store import files
from lzc.forms.where import folder_of
from lzc.health_check import Check
from lzc.lua.engine.execution import EngineSettings
from lzc.wire.name import from_text
from lzc.wire.tsig import TsigKey, sign

NOW = 1_800_000_000.0
ZONE = "example.org"
APEX = from_text("example.org.")
KEY = TsigKey(from_text("k."), "hmac-sha256", b"secretsecretsecretsecret")
HERE = bytes((127, 0, 0, 1))
HEAD = "$TTL 60\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n"
TOML = """[build]
sources = ["zones/*.zone"]
[lua]
enable = true
powerdns = "5.1"
[tsig."k."]
secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
[[secondary]]
name = "ns2"
address = "127.0.0.1:5301"
software = "{software}"
tsig = "k."
flatten-client = "192.0.2.77"
{section}
[dnssec]
denial = "{denial}"
nsec3-opt-out = {opt_out}
[zone."example.org"]
dnssec = {signed}
"""


class Health:
    """All checks are as ``up`` says."""

    def __init__(self) -> None:
        self.up = True
        self.number = 0

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        return self.up

    def weight(self, check: Check) -> int:
        return 1

    def generation(self) -> int:
        self.number += 1
        return self.number


class Project:
    """One zone, built again and again, and its publisher, for whom time is ``now``."""

    def __init__(
        self,
        folder: Path,
        *,
        denial: str = "nsec",
        signed: bool = True,
        opt_out: bool = False,
        software: str = "bind",
        section: str = "",
        processes: int = 1,
    ) -> None:
        self.folder = folder
        (folder / "zones").mkdir(parents=True)
        text = TOML.format(
            denial=denial,
            signed=str(signed).lower(),
            opt_out=str(opt_out).lower(),
            software=software,
            section=section,
        )
        path = folder / "lzc.toml"
        path.write_text(text)
        path.chmod(0o600)
        self.config = config.load(path)
        self.health = Health()
        self.now = NOW
        self.processes = processes
        if signed:
            self.add_key()
        self.restart()

    def add_key(self) -> None:
        Keystore(self.folder / "keys").generate(APEX, 13, FLAGS["csk"], self.now - 86400)

    def restart(self) -> None:
        """Another publisher in place of the one before."""

        def evaluate(bundle: Bundle, view: View) -> Evaluation:
            settings = EngineSettings.from_config(self.config.lua)
            return Evaluation(bundle, settings, view, None, self.health)

        stamps = current.verified_dir(self.config.output)
        self.publisher = FormPublisher(self.config, stamps, evaluate, self.processes)

    def build(self, text: str, head: str = HEAD) -> None:
        path = self.folder / "zones" / f"{ZONE}.zone"
        path.unlink(missing_ok=True)
        path.write_text(head + text)
        self.now += 10
        build(self.config, config_path=self.folder / "lzc.toml", now=self.now)

    def look(self, seconds: float = 10) -> list[Published]:
        """Let the publisher look, so many seconds later."""
        self.now += seconds
        return list(self.publisher.look(current.live(self.config.output), self.now))

    def store(self) -> Path:
        with current.open_live(self.config.output) as bundle:
            (wanted,) = self.publisher.wanted(bundle)
        return files(folder_of(self.config.output, wanted))[-1]

    def opened(self, bundle: Bundle, serial: int | None = None) -> TransferPlan | bytes | None:
        """What a secondary gets that asks, for what is new since a serial."""
        query = dns.message.make_query(ZONE, "AXFR" if serial is None else "IXFR", use_edns=False)
        query.flags = dns.flags.Flag(0)
        if serial is not None:
            text = f"ns1. h. {serial} 1 1 1 1"
            query.authority.append(dns.rrset.from_text(f"{ZONE}.", 0, "IN", "SOA", text))
        wire, _ = sign(query.to_wire(), KEY, NOW)
        access = TransferAccess.from_config(self.config)
        found = PublishedForms(self.config.output)
        return open_transfer(bundle, access, {KEY.name: KEY}, wire, HERE, NOW, published=found)


Row = tuple[str, int, str, str]


class Secondary:
    """One that applies what it gets as dnspython does."""

    def __init__(self) -> None:
        self.zone = dns.zone.Zone(ZONE, relativize=False)
        self.serial: int | None = None

    def refresh(self, project: Project) -> Kind:
        """Get the zone, or what changed in it; what was sent."""
        with current.open_live(project.config.output) as bundle:
            plan = project.opened(bundle, self.serial)
            if isinstance(plan, bytes):
                assert plan[3] & 15 == 0, plan
                PublishedForms.close()
                return Kind.UP_TO_DATE
            assert isinstance(plan, TransferPlan)
            asked = dns.rdatatype.AXFR if self.serial is None else dns.rdatatype.IXFR
            done = False
            with dns.xfr.Inbound(self.zone, asked, self.serial) as inbound:
                for framed in plan.messages():
                    if framed:
                        # Without the TSIG RR: who made it is known.
                        message = dns.message.from_wire(
                            framed[2:], xfr=True, one_rr_per_rrset=True, keyring=False
                        )
                        assert not done
                        done = inbound.process_message(message)
            assert done
            self.serial = plan.serial
            kind = plan.kind
            plan.close()
        # The publisher is another process as a rule.
        PublishedForms.close()
        return kind

    def rows(self, *without: str) -> set[Row]:
        """Its records, but those of some types."""
        return {
            (name.to_text(), ttl, kind, rdata.to_text())
            for name, ttl, rdata in self.zone.iterate_rdatas()
            if (kind := dns.rdatatype.to_text(rdata.rdtype)) not in without
        }

    def check(self, now: float) -> None:
        """All that is to be signed is, by a key of the zone, and nothing else."""
        zone, apex = self.zone, dns.name.from_text(ZONE)
        keys = zone.find_rrset(apex, "DNSKEY")
        cuts = [name for name in zone if name != apex and zone.get_rdataset(name, "NS")]
        hidden = [name for name in zone if zone.get_rdataset(name, "DNAME")]
        for name, node in zone.nodes.items():
            is_below = any(name.is_subdomain(cut) and name != cut for cut in [*cuts, *hidden])
            for rdataset in node:
                if rdataset.rdtype == dns.rdatatype.RRSIG:
                    continue
                kind = dns.rdatatype.to_text(rdataset.rdtype)
                at_cut = name in cuts and kind not in ("DS", "NSEC")
                rrsig = node.get_rdataset(zone.rdclass, dns.rdatatype.RRSIG, rdataset.rdtype)
                if is_below or at_cut:
                    assert rrsig is None, (name, kind)
                    continue
                assert rrsig is not None, (name, kind)
                rrset = dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
                signed = dns.rrset.from_rdata_list(name, rrsig.ttl, list(rrsig))
                dns.dnssec.validate(rrset, signed, {apex: keys}, now=now)
