"""RRSIGs: they verify with dnspython, stand still for a week, and are made once."""

from __future__ import annotations

import sys

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.dnssec import algorithms
from lzc.dnssec.key import KSK_FLAGS, ZSK_FLAGS, SigningKey
from lzc.dnssec.life.timing import Timing
from lzc.dnssec.signing.cache import WEEK, SignatureCache, window
from lzc.dnssec.signing.signer import ZoneSigner, roles
from lzc.dnssec.signing.store import MAX_RRSET
from lzc.wire import name

NSEC, NSEC3 = 47, 50
ZONE = name.from_text("example.org.")
NOW = 1_790_000_000
ALL = (8, 10, 13, 14, 15, 16)
KEYS = {
    (algorithm, flags): SigningKey.make(ZONE, algorithm, flags, algorithms.generate(algorithm))
    for algorithm in ALL
    for flags in (KSK_FLAGS, ZSK_FLAGS)
}
CSK = KEYS[13, KSK_FLAGS]


def signer(*keys: SigningKey, cache: SignatureCache | None = None) -> ZoneSigner:
    return ZoneSigner(keys or (CSK,), SignatureCache() if cache is None else cache)


def rdatas_of(rrtype: str, texts: list[str]) -> list[bytes]:
    wires = [dns.rdata.from_text("IN", rrtype, text).to_wire() for text in texts]
    return [wire for wire in wires if wire is not None]


def validate(
    owner: str, rrtype: str, ttl: int, texts: list[str], signatures: tuple[bytes, ...]
) -> None:
    """Have dnspython check each signature over the RRset as a resolver sees it."""
    apex = dns.name.from_text("example.org.")
    dnskeys = dns.rrset.RRset(apex, dns.rdataclass.IN, dns.rdatatype.DNSKEY)
    for key in KEYS.values():
        dnskeys.add(dns.rdata.from_wire("IN", "DNSKEY", key.dnskey, 0, len(key.dnskey)), 60)
    rrset = dns.rrset.from_text_list(owner, ttl, "IN", rrtype, texts)
    assert signatures
    for wire in signatures:
        rrsig = dns.rdata.from_wire("IN", "RRSIG", wire, 0, len(wire))
        dns.dnssec.validate_rrsig(rrset, rrsig, {apex: dnskeys}, now=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize(
    ("rrtype", "texts"),
    [
        ("A", ["192.0.2.2", "192.0.2.1", "192.0.2.10"]),
        ("TXT", ['"b"', '"a"', '"aa"']),
        ("MX", ["10 Mail.Example.ORG.", "5 B.example.org."]),
        ("SRV", ["0 0 443 Target.Example.org."]),
        ("NAPTR", ['10 10 "u" "E2U+sip" "!^.*$!sip:a@b!" Example.ORG.']),
        ("SOA", ["NS.Example.org. Host.EXAMPLE.org. 1 2 3 4 5"]),
        ("NSEC", ["Next.example.org. A RRSIG NSEC"]),
        ("CNAME", ["Www.Example.Org."]),
        ("RP", ["Me.Example.org. Txt.Example.org."]),
    ],
)
def test_signatures_verify(algorithm: int, rrtype: str, texts: list[str]) -> None:
    owner = name.from_text("www.example.org.")
    key = KEYS[algorithm, KSK_FLAGS]
    number = dns.rdatatype.from_text(rrtype)
    signatures = signer(key).sign(owner, number, 300, rdatas_of(rrtype, texts), NOW)
    validate("www.example.org.", rrtype, 300, texts, signatures)


@pytest.mark.parametrize("algorithm", ALL)
def test_wildcard_signatures_verify_for_every_expansion(algorithm: int) -> None:
    zone_signer = signer(KEYS[algorithm, KSK_FLAGS])
    rdata = rdatas_of("A", ["192.0.2.1"])
    signatures = zone_signer.sign(name.from_text("*.sub.example.org."), 1, 60, rdata, NOW)
    assert signatures[0][3] == 3
    for owner in ("a.sub.example.org.", "b.a.sub.example.org.", "*.sub.example.org."):
        validate(owner, "A", 60, ["192.0.2.1"], signatures)


@given(st.permutations(["192.0.2.1", "192.0.2.2", "192.0.2.3"]))
def test_order_and_duplicates_of_the_records_do_not_matter(texts: list[str]) -> None:
    expected = signer().sign(
        ZONE, 1, 60, rdatas_of("A", ["192.0.2.1", "192.0.2.2", "192.0.2.3"]), NOW
    )
    assert signer().sign(ZONE, 1, 60, rdatas_of("A", [*texts, texts[0]]), NOW) == expected


def test_case_of_names_in_rdata_matters_only_where_rfc_6840_says_so() -> None:
    def sign(rrtype: str, text: str) -> tuple[bytes, ...]:
        return signer().sign(
            ZONE, dns.rdatatype.from_text(rrtype), 60, rdatas_of(rrtype, [text]), NOW
        )

    assert sign("MX", "10 A.example.org.") == sign("MX", "10 a.example.org.")
    assert sign("NSEC", "A.example.org. NS") != sign("NSEC", "a.example.org. NS")


def test_the_fields_of_an_rrsig() -> None:
    (rdata,) = signer().sign(name.from_text("www.example.org."), 1, 300, [bytes(4)], NOW)
    assert rdata[:4] == bytes((0, 1, 13, 3))
    assert int.from_bytes(rdata[4:8], "big") == 300
    expiration, inception = int.from_bytes(rdata[8:12], "big"), int.from_bytes(rdata[12:16], "big")
    assert (inception, expiration) == window(NOW)[:2]
    assert int.from_bytes(rdata[16:18], "big") == CSK.tag
    assert rdata[18:].startswith(ZONE)
    assert len(rdata) == 18 + len(ZONE) + 64


@given(st.floats(0, 2**32 - 3 * WEEK))
def test_the_window_starts_a_week_before_the_week_and_ends_two_after_its_start(now: float) -> None:
    start = int(now) - int(now) % WEEK
    assert window(now) == (start - WEEK, start + 2 * WEEK, start + WEEK)
    assert window(now).valid_until > now


def test_signatures_stand_still_within_a_week_and_move_with_it() -> None:
    start = window(NOW).valid_until
    zone_signer = signer()

    def sign(now: float) -> tuple[bytes, ...]:
        return zone_signer.sign(ZONE, 1, 60, [bytes(4)], now)

    assert sign(start) == sign(start + WEEK - 1)
    before = sign(start + WEEK - 0.5)
    zone_signer.sign(ZONE, 28, 60, [bytes(16)], start)
    assert sign(start + WEEK) != before
    assert len(zone_signer.cache) == 1
    assert sign(start) == before


def test_a_signature_is_made_once() -> None:
    made = []

    def count(data: bytes) -> bytes:
        made.append(data)
        return b"signature"

    key = SigningKey(ZONE, 13, 257, 1, b"\x01\x01\x03\x0dpublic", Timing(), CSK.private, count)
    cache = SignatureCache()
    for _ in range(3):
        # A new signer over the same keys is what a reload makes.
        signer(key, cache=cache).sign(ZONE, 1, 60, (bytes(4),), NOW)
    assert len(made) == 1


def test_signatures_are_counted_and_timed() -> None:
    times = iter(range(100))
    cache = SignatureCache(clock=lambda: float(next(times)))
    for ttl in (1, 2, 1, 1):
        signer(cache=cache).sign(ZONE, 1, ttl, (bytes(4),), NOW)
    assert (cache.made, cache.kept, cache.seconds) == (2, 2, 2.0)


@pytest.mark.parametrize("changed", ["owner", "type", "ttl", "rdata"])
def test_what_is_signed_tells_entries_apart(changed: str) -> None:
    zone_signer = signer()
    first = zone_signer.sign(ZONE, 1, 60, (bytes(4),), NOW)
    second = zone_signer.sign(
        b"\x01a" + ZONE if changed == "owner" else ZONE,
        5 if changed == "type" else 1,
        61 if changed == "ttl" else 60,
        (b"\x01" + bytes(3) if changed == "rdata" else bytes(4),),
        NOW,
    )
    assert first != second


def test_zones_do_not_share_signatures() -> None:
    other = SigningKey.make(name.from_text("org."), 13, KSK_FLAGS, CSK.private)
    cache = SignatureCache()
    one = signer(cache=cache).sign(ZONE, 1, 60, (bytes(4),), NOW)
    assert signer(other, cache=cache).sign(ZONE, 1, 60, (bytes(4),), NOW) != one


def test_the_cache_is_bounded_and_keeps_what_is_asked_for() -> None:
    cache = SignatureCache(entries=8)
    zone_signer = signer(cache=cache)
    hot = zone_signer.sign(ZONE, 1, 0, (bytes(4),), NOW)
    for ttl in range(1, 50):
        zone_signer.sign(ZONE, 1, ttl, (bytes(4),), NOW)
        assert zone_signer.sign(ZONE, 1, 0, (bytes(4),), NOW) == hot
        assert len(cache) <= 8
    assert cache.made == 50


@pytest.mark.parametrize(
    ("rrtype", "passing"), [(NSEC, False), (NSEC3, False), (1, True)], ids=["nsec", "nsec3", "made"]
)
def test_a_flood_of_random_names_takes_no_place_from_other_signatures(
    rrtype: int, passing: bool
) -> None:
    cache = SignatureCache(entries=400)
    zone_signer = signer(cache=cache)
    hot = [zone_signer.sign(ZONE, 1, ttl, (bytes(4),), NOW) for ttl in range(100)]
    apex = zone_signer.sign(ZONE, rrtype, 999, (bytes(40),), NOW, passing)
    for number in range(500):
        owner = b"\4" + number.to_bytes(4, "big") + ZONE
        zone_signer.sign(owner, rrtype, 0, (bytes(40),), NOW, passing)
        assert zone_signer.sign(ZONE, rrtype, 999, (bytes(40),), NOW, passing) == apex
    assert len(cache) <= 100 + 100
    assert cache.made == 100 + 1 + 500
    for ttl, signatures in enumerate(hot):
        assert zone_signer.sign(ZONE, 1, ttl, (bytes(4),), NOW) == signatures
    assert cache.made == 100 + 1 + 500


def test_the_cache_has_a_bound_in_octets_too() -> None:
    """LUA records may make up hundreds of addresses for each query: of 65,536 answers these were
    3 GB."""
    cache = SignatureCache(octets=300_000)
    for number in range(200):
        key = number.to_bytes(2, "big") * (MAX_RRSET // 2)
        for _ in range(2):
            cache.lasting.put(key, bytes(100))
        held = [*cache.lasting.young, *cache.lasting.old]
        assert key in held
        assert sum(map(sys.getsizeof, held)) < 300_000
    for number in range(1000):
        cache.lasting.put(number.to_bytes(4, "big"), bytes(100))
    assert 300 < len(cache) < 1000
    cache.move(0)
    assert not len(cache)


class TestRoles:
    def test_a_csk_signs_everything(self) -> None:
        assert roles([CSK], NOW) == ((CSK,), (CSK,))

    def test_a_ksk_signs_keys_and_a_zsk_data(self) -> None:
        ksk, zsk = KEYS[13, KSK_FLAGS], KEYS[13, ZSK_FLAGS]
        assert roles([zsk, ksk], NOW) == ((zsk,), (ksk,))

    def test_a_zsk_alone_signs_the_keys_too(self) -> None:
        zsk = KEYS[13, ZSK_FLAGS]
        assert roles([zsk], NOW) == ((zsk,), (zsk,))

    def test_each_algorithm_signs_all_rrsets(self) -> None:
        ksk, zsk, csk = KEYS[8, KSK_FLAGS], KEYS[8, ZSK_FLAGS], KEYS[15, KSK_FLAGS]
        assert roles([csk, zsk, ksk], NOW) == ((zsk, csk), (ksk, csk))

    def test_the_ksk_signs_dnskey_the_zsk_data_and_both_what_asks_the_parent(self) -> None:
        ksk, zsk = KEYS[13, KSK_FLAGS], KEYS[13, ZSK_FLAGS]
        zone_signer = signer(ksk, zsk)
        types = {"DNSKEY": {ksk.tag}, "A": {zsk.tag}}
        types |= {"CDS": {ksk.tag, zsk.tag}, "CDNSKEY": {ksk.tag, zsk.tag}}
        for rrtype, tags in types.items():
            number = dns.rdatatype.from_text(rrtype)
            rdatas = zone_signer.sign(ZONE, number, 60, [CSK.dnskey], NOW)
            assert {int.from_bytes(rdata[16:18], "big") for rdata in rdatas} == tags
            assert len(rdatas) == len(tags)

    def test_a_revoked_key_signs_the_dnskey_rrset_and_nothing_else(self) -> None:
        csk = KEYS[15, KSK_FLAGS]
        revoked = KEYS[13, KSK_FLAGS].revoked()
        assert roles([csk, revoked], NOW) == ((csk,), (revoked, csk))
        zone_signer = signer(csk, revoked)
        for number, count in ((48, 2), (59, 1), (60, 1), (1, 1)):
            assert len(zone_signer.sign(ZONE, number, 60, [csk.dnskey], NOW)) == count
        assert not signer(revoked).signs(NOW)

    def test_keys_come_and_go_at_their_moments(self) -> None:
        def timed(algorithm: int, timing: Timing) -> SigningKey:
            private = KEYS[algorithm, KSK_FLAGS].private
            return SigningKey.make(ZONE, algorithm, KSK_FLAGS, private, timing)

        old = timed(13, Timing(publish=0, activate=0, inactive=NOW + 20))
        new = timed(15, Timing(publish=0, activate=NOW + 10))
        zone_signer = signer(old, new)

        def signing(now: float) -> list[int]:
            return [rdata[2] for rdata in zone_signer.sign(ZONE, 1, 60, (bytes(4),), now)]

        assert [signing(NOW + at) for at in (0, 10, 20)] == [[13], [13, 15], [15]]

    def test_no_active_key_gives_no_signature(self) -> None:
        hidden = SigningKey.make(ZONE, 13, KSK_FLAGS, CSK.private, Timing(created=0))
        assert signer(hidden).sign(ZONE, 1, 60, (bytes(4),), NOW) == ()


def test_a_signer_wants_keys_of_one_zone() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ZoneSigner([], SignatureCache())
    other = SigningKey.make(name.from_text("org."), 13, KSK_FLAGS, CSK.private)
    with pytest.raises(ValueError, match="different zones"):
        signer(CSK, other)


@pytest.mark.parametrize("activated", [NOW - 100.0, NOW + 100.0])
def test_a_clock_that_is_set_back_brings_back_the_keys_of_that_time(activated: float) -> None:
    later = SigningKey.make(
        ZONE, 13, KSK_FLAGS, algorithms.generate(13), Timing(publish=0, activate=int(activated))
    )
    keys = (CSK, later)
    rdata = rdatas_of("A", ["192.0.2.1"])
    ahead = signer(*keys)
    assert len(ahead.sign(ZONE, 1, 60, rdata, NOW + 200)) == 2
    for now in (NOW + 50, NOW - 50, NOW - 200, NOW + 150):
        assert ahead.sign(ZONE, 1, 60, rdata, now) == signer(*keys).sign(ZONE, 1, 60, rdata, now)
