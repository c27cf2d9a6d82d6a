"""What ``lzc ctl status`` says of secondaries, and of strangers who want zones."""

from __future__ import annotations

import time
from typing import Any

from lzc.foreign_text import shown
from lzc.serve.observe.transfer_watch import WORDS

_SHOWN = 20
_STRANGERS = 5
_FORMS = 20
_INDENT = " " * 12


def secondary_lines(answer: dict[str, Any]) -> list[str]:
    """The lines about all of them."""
    lines = unsaved_lines(answer)
    lines += [line for one in answer["secondaries"] for line in _lines(one)]
    for one in answer["strangers"][:_STRANGERS]:
        lines.append(
            f"TURNED AWAY {shown(one['address'])}, no secondary: {_counts(one['refused'])}"
            + _refusal(one)
        )
    if len(answer["strangers"]) > _STRANGERS:
        lines.append(f"{_INDENT}and {len(answer['strangers']) - _STRANGERS} more addresses")
    return lines


def unsaved_lines(answer: dict[str, Any]) -> list[str]:
    """Why what is known of them is lost with this server, where it is."""
    why = answer.get("secondaries_unsaved")
    return [f"NOT SAVED   what is known of secondaries: {shown(why)}"] if why else []


def summary_lines(secondary: dict[str, Any]) -> list[str]:
    """The lines about one of them without its zones."""
    head = f"secondary   {shown(secondary['name'])} ({secondary['address']})"
    lines = [f"{head}: gets no NOTIFY"]
    if secondary["notify"]:
        silent = secondary["silent"]
        lines = [
            f"{head}: {secondary['current']} of {secondary['zones']} zones current"
            + (f", {secondary['ahead']} AHEAD" if secondary["ahead"] else "")
            + ("" if silent is None else f", DOES NOT ANSWER for {seconds(silent)}")
        ]
    return lines + _form_lines(secondary.get("forms", [])) + _transfer_lines(secondary["transfers"])


def _form_lines(forms: list[dict[str, Any]]) -> list[str]:
    """What it gets in other forms than as it is, with what is wrong first."""
    lines = []
    for one in sorted(forms, key=lambda one: (bool(one["serial"]), one["zone"]))[:_FORMS]:
        client = f" for {shown(one['client'])}" if one["client"] else ""
        what = f"{shown(one['zone'])} {one['form'] or 'NOT HANDED OUT'}{client}"
        serial = f", serial {one['serial']}" if one["serial"] else ", NOT MADE YET"
        if one["form"] is None:
            serial = ""
        problem = f": {shown(one['problem'])}" if one["problem"] else f": {shown(one['why'])}"
        lines.append(f"{_INDENT}{what}{serial}{problem}")
    if len(forms) > _FORMS:
        lines.append(f"{_INDENT}and {len(forms) - _FORMS} more zones in forms of their own")
    return lines


def _lines(secondary: dict[str, Any]) -> list[str]:
    lines = summary_lines(secondary)
    behind = [state for state in secondary.get("states", ()) if not state["current"]]
    for state in behind[:_SHOWN]:
        has = state["secondary_serial"]
        lines.append(
            f"{_INDENT}{state['zone']} serial {state['serial']}, it has"
            f" {'an unknown one' if has is None else has}:"
            f" {shown(state['error'] or 'asked')}"
        )
    if secondary["notify"]:
        count = secondary["zones"] - secondary["current"] - secondary["ahead"]
        if count > len(behind[:_SHOWN]):
            lines.append(f"{_INDENT}and {count - len(behind[:_SHOWN])} more zones behind")
    return lines


def _transfer_lines(transfers: dict[str, Any]) -> list[str]:
    last = transfers["last"]
    line = f"{_INDENT}transfers: {transfers['done']} done{_kinds(transfers.get('kinds', {}))}"
    if last is not None:
        line += f", the last of {shown(last['zone'])} serial {last['serial']} {age(last['at'])} ago"
    lines = [line]
    if transfers["refused"]:
        counts = _counts(transfers["refused"])
        lines.append(f"{_INDENT}NOT DONE: {counts}{_refusal(transfers)}")
    if transfers["hint"]:
        lines.append(f"{_INDENT}AGAIN: {shown(transfers['hint'])}")
    return lines


def _kinds(kinds: dict[str, int]) -> str:
    """What was sent, where something was."""
    told = ", ".join(f"{count} {shown(kind)}" for kind, count in sorted(kinds.items()))
    return f" ({told})" if told else ""


def _counts(refused: dict[str, int]) -> str:
    return ", ".join(f"{count} {WORDS.get(kind, kind)}" for kind, count in refused.items())


def _refusal(transfers: dict[str, Any]) -> str:
    last = transfers["last_refusal"]
    if last is None:
        return ""
    return f"; {shown(last['zone'])} {age(last['at'])} ago: {shown(last['why'])}"


def age(since: float) -> str:
    """How long ago something was, in words."""
    return seconds(max(0.0, time.time() - since))


def seconds(count: float) -> str:
    """A time in words."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if count >= 2 * size:
            return f"{count / size:.0f} {unit}"
    return f"{count:.0f} s"
