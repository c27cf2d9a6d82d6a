"""What ``lzc ctl secondaries`` says: each secondary, and of its zones what is wrong, why, and what
was transferred last."""

from __future__ import annotations

from typing import Any, Final

from lzc.cli.ctl.secondaries import age, seconds, summary_lines, unsaved_lines
from lzc.foreign_text import shown

_INDENT: Final = " " * 12
_UNITS: Final = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def lines(answer: dict[str, Any], *, every: bool) -> list[str]:
    """The lines about all that the answer has; ``every``: of zones that are well, too."""
    found = []
    for one in answer["secondaries"]:
        found += summary_lines(one)
        told = [state for state in one["states"] if every or not _is_well(state)]
        for state in told:
            found += _zone_lines(state)
        if one["left_out"]:
            found.append(f"{_INDENT}and {one['left_out']} more zones: ask with --zone")
        well = len(one["states"]) - len(told)
        if well:
            found.append(f"{_INDENT}and {well} zones with nothing wrong: --all lists them")
    return unsaved_lines(answer) + found or ["no secondary is configured"]


def _is_well(state: dict[str, Any]) -> bool:
    failed, done = state["last_refusal"], state["last"]
    refused = failed is not None and (done is None or done["at"] < failed["at"])
    return bool(state.get("current", True)) and not state["repeats"] and not refused


def _zone_lines(state: dict[str, Any]) -> list[str]:
    word, said = _standing(state)
    found = [f"  {word:<9} {state['zone']} {said}"]
    if state.get("error"):
        found.append(f"{_INDENT}{shown(state['error'], 500)}")
    if state["repeats"]:
        found.append(
            f"{_INDENT}takes serial {state['last']['serial']} again and again, {state['repeats']}"
            f" times by now: {shown(state['hint'], 500)}"
        )
    left = state["expires_in"]
    if left is not None and left > 0:
        found.append(f"{_INDENT}stops answering for it in {seconds(left)}, unless it gets through")
    elif left is not None:
        found.append(f"{_INDENT}HAS STOPPED ANSWERING for it, if it keeps to EXPIRE")
    failed, done = state["last_refusal"], state["last"]
    if failed is not None and (done is None or done["at"] < failed["at"]):
        found.append(f"{_INDENT}turned away {age(failed['at'])} ago: {shown(failed['why'], 500)}")
    found.append(f"{_INDENT}last transfer: {_last(done)}")
    if state.get("asked") is not None:
        found.append(f"{_INDENT}asked {age(state['asked'])} ago whether it changed")
    return found


def _standing(state: dict[str, Any]) -> tuple[str, str]:
    if "serial" not in state:
        return "–", "is not told of changes (notify = false)"
    has, ours = state["secondary_serial"], state["serial"]
    it_has = "it has not told its serial" if has is None else f"it has {has}"
    if state["ahead"]:
        return "AHEAD", f"serial {ours}, {it_has}, and takes nothing up to that"
    if not state["current"]:
        return "BEHIND", f"serial {ours}, {it_has}, for {seconds(state['behind_for'])}"
    return "REPEATS" if state["repeats"] else "ok", f"serial {ours}"


def _last(done: dict[str, Any] | None) -> str:
    if done is None:
        return "none that is known of"
    return (
        f"serial {done['serial']}, {done['kind']} over {done['transport'].upper()},"
        f" {done['records']} records, {_octets(done['octets'])} in {done['seconds']:.3f} s,"
        f" {age(done['at'])} ago"
    )


def _octets(count: int) -> str:
    for unit, size in _UNITS:
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} octets"
