"""What lzc tells people to run: where its texts name a command, and which one a text names."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lzc.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]

_NAMES = re.compile(
    rf"\blzc (?:{'|'.join(COMMANDS)})\b|\bdnssec-settime\b|\bstrip-dnssec\b|\bbuild (?:it )?again\b"
    r"|\b(?:run|with): \{\}"
)
_WORD = re.compile(r" ((?:'[^']*'|[^\s,;()'])+)")
_PROSE = frozenset(
    {
        *("and", "between", "for", "gives", "has", "is", "lists", "on", "or", "replaces", "then"),
        *("to", "was", "which", "with", "would", "writes"),
    }
)
"""Words that end a command in a sentence; none is an argument in these tests."""
_STARTS = re.compile(
    rf"\b(?:lzc (?:{'|'.join(COMMANDS)})|chmod|ln|rm)(?= |\b)|\bbuild (?:it )?again\b"
)


def texts() -> Counter[str]:
    """The texts in lzc that name a command, each with how often it stands there; what is put in
    when it is told is ``{}``."""
    found: Counter[str] = Counter()
    for file in sorted((ROOT / "lzc").rglob("*.py")):
        tree = ast.parse(file.read_text(), str(file))
        found.update(text for text in _texts(tree) if _NAMES.search(text))
    return found


def _texts(tree: ast.Module) -> Iterator[str]:
    """All strings but docstrings, and the lists of words that begin with ``lzc``."""
    passed = {id(part) for node in ast.walk(tree) for part in _parts(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(_text(part) for part in node.values)
        elif isinstance(node, ast.List) and node.elts and _text(node.elts[0]) == "lzc":
            yield " ".join(map(_text, node.elts))
        elif isinstance(node, ast.Constant) and id(node) not in passed:
            yield _text(node)


def _parts(node: ast.AST) -> list[ast.expr]:
    """The strings in a node that are no texts of their own."""
    if isinstance(node, ast.JoinedStr):
        return node.values
    body = getattr(node, "body", None)
    if not isinstance(body, list):
        return []
    return [one.value for one in body if isinstance(one, ast.Expr)]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "{}"


def pattern(text: str) -> re.Pattern[str]:
    """Finds a text of `texts` in what was told, from the first to the last that is not put in."""
    pieces = [piece for piece in re.split(r"\{\}|%[ds]", text) if piece.strip()]
    return re.compile(".*?".join(re.escape(piece.strip()) for piece in pieces), re.DOTALL)


def ways(words: str) -> list[str]:
    """The ways out that words name, one after the other."""
    return re.split(r"[,;] or (?:else: )?", words)


def commands(words: str) -> list[str]:
    """The commands in words, in their order."""
    found = []
    for start in _STARTS.finditer(words):
        command, position = start[0], start.end()
        if command.startswith("build"):
            found.append("lzc build")
            continue
        while (word := _WORD.match(words, position)) and word[1] not in _PROSE:
            command += word[0]
            position = word.end()
        found.append(command.rstrip(".:"))
    return [command for command in found if " " in command]
