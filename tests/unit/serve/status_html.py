"""Reads a page of the status page as a strict reader does, and finds things in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

VOID: Final = frozenset({"meta", "link", "input"})


@dataclass(eq=False)
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str) -> Iterator[Element]:
        """Elements below it with this tag and these attributes, of which ``class`` need only be
        among the classes."""
        for child in self.children:
            if isinstance(child, str):
                continue
            if (not tag or child.tag == tag) and all(
                value in child.attributes.get(name.rstrip("_"), "").split()
                if name == "class_"
                else child.attributes.get(name.replace("_", "-")) == value
                for name, value in attributes.items()
            ):
                yield child
            yield from child.all(tag, **attributes)

    def one(self, tag: str = "", **attributes: str) -> Element:
        (found,) = self.all(tag, **attributes)
        return found

    @property
    def text(self) -> str:
        """What is read there, in one line."""
        parts = [one if isinstance(one, str) else one.text for one in self.children]
        return " ".join(" ".join(parts).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag}: an attribute is there twice"
        made = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(made)
        if tag not in VOID:
            self._open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> ends <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def end(self) -> Element:
        assert self._open == [self.root], "all is closed"
        return self.root


def read(page: bytes) -> Element:
    """A document. Fails where elements are not closed, or closed in another order."""
    reader = _Reader()
    reader.feed(page.decode())
    reader.close()
    return reader.end()


def problems(document: Element) -> list[tuple[str, str]]:
    """What the page says is wrong: how bad it is, and what, in its order."""
    found = []
    for row in document.one("main").all("li"):
        state, what = row.one(class_="state"), row.one(class_="what")
        found.append((state.text.partition(" ")[2], what.text))
    return found


def rows(document: Element, section: str) -> list[list[str]]:
    """The rows of the table of a section."""
    tables = list(document.one("section", id=section).all("tbody"))
    return [
        [cell.text for cell in row.all() if cell.tag in ("th", "td")]
        for table in tables
        for row in table.all("tr")
    ]
