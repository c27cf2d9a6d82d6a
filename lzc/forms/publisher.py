"""Brings the forms of zones to what they are to be: made where they are not there, changed where
the zone, its keys or what its LUA records give did, and signed anew before signatures run out."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from lzc.bundle.manifest import BundleError
from lzc.bundle.reader import Bundle, ZoneView
from lzc.bundle.zone_keys import zone_keys
from lzc.config import Config, Form, View
from lzc.contained import Ended, run_contained
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.denial import Denial, Way
from lzc.dnssec.token.sessions import Unreachable
from lzc.foreign_text import shown
from lzc.forms import flatten
from lzc.forms.change import Change, soa_signatures
from lzc.forms.concerned import concerned
from lzc.forms.entry import first_expiry, parse
from lzc.forms.flatten import Evaluation, Values
from lzc.forms.making import Making, MakingFailed, make_whole
from lzc.forms.serials import FormSerials
from lzc.forms.signing import REFRESH, FormSigner
from lzc.forms.source import Source, soa_of, values_of
from lzc.forms.store import DAMAGE, MAP, NAME, FormStore, State, files, is_damage
from lzc.forms.where import FOLDER, Wanted, folder_of, grants_of, wanted_of
from lzc.wire import rrtype as rr
from lzc.wire.name import key_of, to_text

log = logging.getLogger("lzc")

RENEWED: Final = 5000
"""Entries that are signed anew at a time at most."""
RESIGN: Final = 600.0
"""Seconds between two times that signatures are made anew as they end, unless that is near."""
NEAR: Final = 2 * 86400
"""Seconds before signatures end from which on they are made anew at once."""
AGAIN: Final = 60.0
"""Seconds after which a form of a zone that did not change is looked at again: keys may have."""

Evaluate = Callable[[Bundle, View], Evaluation]
"""Gives what evaluates the LUA records of a bundle, which stays open with it."""


@dataclass(slots=True)
class Looked:
    """What is known of a form that is looked after. ``values`` are those that it was made of in the
    bundle with the id ``bundle``, ``seen`` marks those of the last look; ``failing`` are LUA
    records that failed then, ``owners`` the names that have some in the
    bundle ``owners_in``. Times are seconds since the epoch: of the last serial, when signatures
    were made anew, and when it is looked at again though nothing is known to have changed."""

    wanted: Wanted
    serial: int = 0
    values: Values = field(default_factory=dict)
    seen: str = ""
    bundle: str = ""
    failing: frozenset[tuple[bytes, int]] = frozenset()
    owners: dict[bytes, bytes] = field(default_factory=dict)
    owners_in: str = ""
    changed_at: float = 0.0
    renewed_at: float = 0.0
    again_at: float = 0.0
    is_sound: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """A form has this serial; ``problem`` says why it is not what it is to be, if so."""

    wanted: Wanted
    serial: int
    problem: str = ""


class FormPublisher:
    """Looks after all forms of a project; ``evaluate`` makes what evaluates LUA records,
    ``processes`` are those that sign at once, ``stamps`` as in `Bundle.open`."""

    def __init__(self, config: Config, stamps: Path, evaluate: Evaluate, processes: int) -> None:
        self._config = config
        self._stamps = stamps
        self._evaluate = evaluate
        self._processes = processes
        self._output = config.output
        self._keystore = Keystore.of(config)
        self._grants = grants_of(config)
        self._serials = FormSerials(self._output)
        self._forms: dict[Wanted, Looked] = {}
        self._evaluations: dict[tuple[str, View], tuple[Bundle, Evaluation]] = {}
        for problem in self._serials.problems:
            log.warning("serials of forms: %s", shown(problem))

    def wanted(self, bundle: Bundle) -> list[Wanted]:
        """The forms that there are to be, by the octets of the apex."""
        found: list[Wanted] = []
        for info in bundle.zones():
            if info.may_have_lua or info.is_signed_here:
                found += sorted(wanted_of(self._grants, info))
        return found

    def look(self, folder: Path, now: float) -> Iterator[Published]:
        """Look after each form once, given the folder of the live bundle; what became of it."""
        stamps = self._stamps
        with Bundle.open(folder, verified_dir=stamps) as bundle:
            wanted = self.wanted(bundle)
        for gone in self._forms.keys() - set(wanted):
            del self._forms[gone]
        self._remove_others(wanted)
        for one in wanted:
            form = self._forms.get(one)
            if form is None:
                form = self._forms[one] = Looked(one)
            if self._is_fresh(form, folder, now):
                continue
            form.again_at = now + AGAIN
            try:
                problem = self._look_after(form, folder, stamps, now)
                form.bundle = folder.name
            except (BundleError, MakingFailed, MemoryError, Unreachable, *DAMAGE) as error:
                problem = str(error) or repr(error)
            if problem and problem != form.problem:
                log.error("%s: %s", shown(self.name(one)), shown(problem))
            form.problem = problem
            yield Published(one, form.serial, problem)

    def _is_fresh(self, form: Looked, folder: Path, now: float) -> bool:
        """Whether nothing is known that a form would have to be looked at for."""
        if form.wanted.what.form is Form.FLATTENED or form.bundle != folder.name:
            return False
        return 0 < form.again_at - now <= AGAIN and bool(
            files(folder_of(self._output, form.wanted))
        )

    def _evaluation(self, folder: Path, stamps: Path, view: View) -> Evaluation:
        """What evaluates the LUA records of a bundle for a view; those of others are let go."""
        which = folder.name, view
        found = self._evaluations.get(which)
        if found is None:
            for other in [one for one in self._evaluations if one[0] != folder.name]:
                self._evaluations.pop(other)[0].close()
            bundle = Bundle.open(folder, verified_dir=stamps)
            found = self._evaluations[which] = bundle, self._evaluate(bundle, view)
        return found[1]

    def close(self) -> None:
        """Let go of bundles."""
        while self._evaluations:
            self._evaluations.popitem()[1][0].close()

    @staticmethod
    def name(wanted: Wanted) -> str:
        """A form in words."""
        return f"zone {to_text(wanted.apex)} {wanted.what.form}" + (
            f" for {wanted.what.view.client}" if wanted.what.form is Form.FLATTENED else ""
        )

    def _remove_others(self, wanted: list[Wanted]) -> None:
        """Forms that nobody is to get any more."""
        marks = {one.mark for one in wanted}
        with suppress(OSError):
            for path in (self._output / FOLDER).iterdir():
                if path.name not in marks:
                    shutil.rmtree(path, ignore_errors=True)

    def _look_after(self, form: Looked, folder: Path, stamps: Path, now: float) -> str:
        """Bring a form to what it is to be; why that cannot be, if so."""
        wanted = form.wanted
        place = folder_of(self._output, wanted)
        before = self._before(form, place)
        form.serial = 0 if before is None else before.serial
        with Bundle.open(folder, verified_dir=stamps) as bundle:
            view = bundle.zone(wanted.apex)
            if view is None:
                return ""
            info, soa = view.info, soa_of(view)
            signer = None
            if info.is_signed_here:
                found = zone_keys(self._keystore, info, now)
                if found.errors:
                    return str(found.errors[0])
                signer = FormSigner(info.apex, found.keys, now)
            values = self._values(form, bundle, view, stamps, now)

        @contextmanager
        def opened() -> Iterator[Source]:
            with Bundle.open(folder, verified_dir=stamps) as bundle:
                view = bundle.zone(wanted.apex)
                assert view is not None, "it was there"
                yield Source(view, signer is not None, values)

        making = Making(info.apex, opened, signer, _chain(info.denial), info.negative_ttl)
        state = State(
            0,
            info.serial,
            info.digest,
            "" if signer is None else signer.mark,
            "" if signer is None else str(making.denial),
            flatten.mark(values),
        )
        signed_alike = before is not None and _signed_by(before) == _signed_by(state)
        if before is not None and signed_alike:
            try:
                self._change(form, making, place, before, state, soa, now)
            except DAMAGE as error:
                if not is_damage(error):
                    raise
                self._tell_damage(place, error)
            else:
                return ""
        self._make(form, making, place, state, soa, now)
        return ""

    def _values(
        self, form: Looked, bundle: Bundle, view: ZoneView, stamps: Path, now: float
    ) -> Values:
        """What the LUA records of a flattened zone give, as far as that counts: in a bundle that
        they were not looked at in at once, and else what they gave twice in a row, some seconds
        after the last serial."""
        if form.wanted.what.form is not Form.FLATTENED:
            return {}
        if form.owners_in != bundle.id:
            form.owners, form.owners_in = dict(flatten.lua_owners(view)), bundle.id
        failing: set[tuple[bytes, int]] = set()

        def told(owner: bytes, rrtype: int, why: str) -> None:
            failing.add((owner, rrtype))
            if (owner, rrtype) not in form.failing:
                what = f"{to_text(owner)} LUA {rr.to_text(rrtype)}"
                known = any(one[0] == rrtype for one in before.get(key_of(owner, view.apex), ()))
                kept = "what it gave before stays" if known else "it is left out"
                name = shown(self.name(form.wanted))
                log.warning("%s: %s fails, and %s: %s", name, what, kept, shown(why))

        evaluation = self._evaluation(bundle.path, stamps, form.wanted.what.view)
        before = form.values or self._stored(form)
        values = evaluation.of(view, form.owners, before, told)
        form.failing = frozenset(failing)
        seen = flatten.mark(values)
        stood, form.seen = form.seen == seen, seen
        rested = not 0 <= now - form.changed_at < self._config.serve.flatten_interval
        if form.bundle != bundle.id or (stood and rested):
            form.values = values
        return form.values

    def _stored(self, form: Looked) -> Values:
        """What there is at the names that have LUA records, whoever made it."""
        found: Values = {}
        try:
            path = files(folder_of(self._output, form.wanted))[-1]
            with FormStore(path) as store, store.reading() as transaction:
                for key in form.owners:
                    entry = transaction.get(NAME + key, db=store.names)
                    if entry is not None:
                        found[key] = values_of(entry)
        except DAMAGE:
            # There is none, or it is looked at later what is wrong with it.
            return {}
        return found

    def _before(self, form: Looked, place: Path) -> State | None:
        """What there is; `None` where there is nothing that can be used. What an earlier process
        left is gone through once, in a process of its own: damage may end who reads it."""
        stored = files(place)
        if not stored:
            return None
        try:
            if not form.is_sound:
                size = stored[-1].stat().st_size
                seconds = 60 + size / 1_000_000
                run_contained(lambda _: _gone_through(stored[-1]), seconds=seconds, memory=MAP)
                form.is_sound = True
            with FormStore(stored[-1]) as store, store.reading() as transaction:
                return store.state(transaction)
        except (Ended, *DAMAGE) as error:
            if not isinstance(error, Ended) and not is_damage(error):
                raise
            self._tell_damage(place, error)
            return None

    @staticmethod
    def _tell_damage(place: Path, error: BaseException) -> None:
        log.error("%s: damaged, and made anew: %s", shown(place), shown(error))

    def _make(
        self, form: Looked, making: Making, place: Path, state: State, soa: bytes, now: float
    ) -> None:
        """The whole of it, in a new store."""
        processes = self._processes
        if making.signer is not None and making.signer.in_token:
            # A process has the library of its token once, and forks lose it.
            processes = 1
        if processes > 1:
            # LMDB does not want to be forked while it has a file open.
            self.close()
        with FormStore.begin(place) as store:
            rrs, octets = make_whole(making, store, processes)
            serial = self._serials.next(form.wanted, state.source_serial)
            soa = _with_serial(soa, serial)
            state = replace(state, serial=serial, rrs=rrs, octets=octets + len(soa))
            with store.writing() as transaction:
                store.put_state(transaction, state, soa, soa_signatures(making, soa))
            store.publish(place, serial)
        form.serial, form.changed_at, form.renewed_at = serial, now, now
        form.is_sound = True
        log.info("%s: made, serial %d, %d records", shown(self.name(form.wanted)), serial, rrs)

    def _change(
        self,
        form: Looked,
        making: Making,
        place: Path,
        before: State,
        state: State,
        soa: bytes,
        now: float,
    ) -> None:
        with FormStore(files(place)[-1], write=True) as store, making.opened() as source:
            with store.writing() as transaction:
                change = Change(making, store, transaction, source)
                keys: set[bytes] = set()
                if state.source_digest != before.source_digest:
                    keys = concerned(source, store, transaction, before)
                if state.found != before.found:
                    keys |= source.found.keys()
                change.names(keys | {b""})
                if making.signer is not None:
                    change.renew(self._due(form, store, transaction, now))
                old_soa, old_signatures = store.soa(transaction)
                same = change.is_nothing and _bare(old_soa) == _bare(soa)
                if same and not _is_due(old_signatures, making, now):
                    if _origin(state) != _origin(before):
                        kept = replace(
                            before,
                            source_serial=state.source_serial,
                            source_digest=state.source_digest,
                            found=state.found,
                        )
                        signed = [old_signatures] if old_signatures else []
                        store.put_state(transaction, kept, old_soa, signed)
                    return
                serial = self._serials.next(form.wanted, state.source_serial)
                change.finish(replace(state, serial=serial), _with_serial(soa, serial))
            form.serial, form.changed_at = serial, now
        log.info("%s: serial %d", shown(self.name(form.wanted)), serial)

    def _due(self, form: Looked, store: FormStore, transaction: Any, now: float) -> list[bytes]:
        """Entries whose signatures end soon."""
        found: list[bytes] = []
        with transaction.cursor(db=store.due) as cursor:
            more = cursor.first()
            near = more and int.from_bytes(cursor.key()[:4], "big") < now + NEAR
            if not near and not 0 <= form.renewed_at + RESIGN <= now:
                return []
            while more and len(found) < RENEWED:
                key = cursor.key()
                if int.from_bytes(key[:4], "big") > now + REFRESH:
                    break
                found.append(key[4:])
                more = cursor.next()
        if found:
            form.renewed_at = now
        return found


def _signed_by(state: State) -> tuple[str, str]:
    """What decides about all signatures of a form."""
    return state.keys, state.denial


def _origin(state: State) -> tuple[int, str, str]:
    """What a form was made from."""
    return state.source_serial, state.source_digest, state.found


def _chain(denial: Denial) -> Denial:
    """How a zone is denied where no record can be made when it is asked for."""
    if denial.way is Way.NARROW:
        return replace(denial, way=Way.NSEC3)
    return Denial() if denial.way is Way.COMPACT else denial


def _gone_through(path: Path) -> None:
    """Read all of a store. Raises what `DAMAGE` lists."""
    with FormStore(path) as store, store.reading() as transaction:
        store.state(transaction)
        store.soa(transaction)
        for entry in store.entries(transaction):
            parse(entry)


def _with_serial(soa: bytes, serial: int) -> bytes:
    return soa[:-20] + serial.to_bytes(4, "big") + soa[-16:]


def _bare(soa: bytes) -> bytes:
    return soa[:-20] + soa[-16:]


def _is_due(signatures: bytes, making: Making, now: float) -> bool:
    """Whether the signatures over the SOA end soon."""
    return making.signer is not None and first_expiry(signatures) < now + REFRESH


__all__ = ["FormPublisher", "Published"]
