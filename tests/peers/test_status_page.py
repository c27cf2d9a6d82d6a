"""The status page as a browser shows it: in light and dark, wide and narrow, on paper, by keyboard
alone, and without JavaScript, which it has none of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from lzc.health_check import Check
from lzc.serve.observe.status.request import FIRST, ON_A_PAGE, PATHS
from tests.peers._peers.chromium import Chromium
from tests.peers._peers.process import LOOPBACK, free_port
from tests.unit.serve.status_html import problems, read, rows
from tests.unit.serve.test_metrics import SECONDARY, TOKEN, Served, served

WIDE: Final = (1280, 900)
NARROW: Final = (360, 740)
HOSTILE: Final = "http://127.0.0.1:1/\"'><script>window.hit=1</script><img src=x onerror=alert(1)>"

CONTRASTS: Final = """
(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const rgb = text => [...numbers(text), 1].slice(0, 4);
  const light = c => c.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  for (const one of document.querySelectorAll('body *')) {
    const own = [...one.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || one.closest('svg') || !one.checkVisibility()) continue;
    let under = one;
    const back_of = where => rgb(getComputedStyle(where).backgroundColor);
    while (under.parentElement && back_of(under)[3] === 0) under = under.parentElement;
    const back = light(back_of(under));
    const front = light(rgb(getComputedStyle(one).color));
    const ratio = (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${one.outerHTML.slice(0, 120)}`);
  }
  return found;
})()
"""
"""Text that is hard to read: less than WCAG 2.2 (1.4.3, level AA) asks for."""

FOCUSABLE: Final = """
[...document.querySelectorAll('a[href], button, input:not([type=hidden]), summary')]
  .filter(one => one.checkVisibility()).map(one => one.outerHTML)
"""
FOCUSED: Final = """
(() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  return {html: one.outerHTML, tag: one.tagName, outline: style.outlineStyle, width: box.width,
    left: box.left, top: box.top, bottom: box.bottom, tall: innerHeight};
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with something wrong: a target that is down, keys that end in two days, code that
    fails, a secondary that is not there, and a URL that wants to be HTML."""
    more = SECONDARY.format(port=free_port())
    made = Served(tmp_path_factory.mktemp("lzc"), "", more)
    end = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 2 * 86400 + 3600))
    for file in (made.project.folder / "keys").glob("*.private"):
        file.write_text(f"{file.read_text()}Inactive: {end}\n")
    down = Check(LOOPBACK, free_port())
    up = Check(LOOPBACK, made.target.getsockname()[1])
    plain = f"only LUA A \"ifportup({down.port}, {{'{LOOPBACK}'}})\"\n"
    checks = [up, down, Check(LOOPBACK, url=HOSTILE)]
    zones = {"example.org.": made.zone + plain, f"{'long-' * 11}name.example.": ""}
    made.project.build(zones, serial=3, signed=["example.org."], checks=checks)
    with made.target, made.server:
        made.server.ask("bad.example.org")
        made.wait_for('lzc_answers_total{rcode="SERVFAIL",transport="udp"}', 1)
        wait_for(made, "silent")
        wait_for(made, "2 of 3 health checks down")
        yield made


def wait_for(made: Served, text: str) -> None:
    """The page says so."""
    made.server.wait_for(lambda: text in read(made.metrics.get("/")[2]).text)


def address(made: Served, path: str = "/") -> str:
    return f"http://{LOOPBACK}:{made.metrics.port}{path}"


def test_it_says_what_is_wrong_the_worst_first_and_loads_nothing_else(
    browser: Chromium, server: Served, tmp_path: Path
) -> None:
    page = browser.page()
    page.look(*WIDE)
    page.open(address(server))
    document = read(page.document().encode())
    found = problems(document)
    whole = "\n".join(f"{level}: {what}" for level, what in found)
    assert found[0][0] == "failing"
    for part in (
        "failing: 1 LUA record without any target that is up, so that clients get what is left:"
        " only.example.org. A",
        "at risk: 2 of 3 health checks down",
        "at risk: keys of 1 zone end soon, the first in 2 d: example.org.",
        "at risk: secondary ns2 has not answered for",
    ):
        assert part in whole
    # What is wrong can be read without scrolling.
    assert page.evaluate("document.querySelector('.problems').getBoundingClientRect().bottom") < 900
    states = {row[0].partition(" ")[0]: row[1] for row in rows(document, "health")}
    port = server.target.getsockname()[1]
    assert states[f"{LOOPBACK}:{port}"].startswith("✓ up")
    assert sum(state.startswith("✕ down") for state in states.values()) == 2
    assert "Connection refused" in document.one("section", id="health").text
    assert page.requests() == [address(server)]
    assert page.complaints() == []
    assert page.evaluate("window.hit") is None
    assert page.screenshot(tmp_path / "page.png", whole=True).startswith(b"\x89PNG")


def test_without_javascript_it_is_the_same(browser: Chromium, server: Served) -> None:
    page = browser.page()
    page.look(*WIDE, scripts=False)
    for path in PATHS:
        page.open(address(server, path))
        assert read(page.document().encode()).one("h1").text
    assert page.complaints() == []


def test_a_violation_of_its_policy_would_be_seen(browser: Chromium, server: Served) -> None:
    page = browser.page()
    page.look(*WIDE)
    page.open(address(server))
    for harm in (
        "const one = document.createElement('script'); one.text = 'window.hit = 1';"
        "document.body.append(one)",
        "document.body.setAttribute('style', 'color: red')",
        "const i = new Image(); i.src = '/ready'; document.body.append(i)",
    ):
        before = len(page.complaints())
        page.evaluate(f"(() => {{ {harm} }})()")
        while len(page.complaints()) == before:
            browser.next()
    assert page.evaluate("window.hit") is None


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(
    browser: Chromium, server: Served
) -> None:
    page = browser.page()
    page.look(*WIDE, scripts=False)
    page.open(address(server))
    wanted = page.evaluate(FOCUSABLE)
    assert len(wanted) > 20
    for html in wanted:
        page.press("Tab")
        found = page.evaluate(FOCUSED)
        assert found["html"] == html
        # One sees where it is.
        assert found["outline"] != "none"
        assert found["width"] > 0
        assert found["left"] >= 0
        assert 0 <= found["top"] < found["bottom"] <= found["tall"]


def test_the_keyboard_skips_opens_follows_and_filters(browser: Chromium, server: Served) -> None:
    page = browser.page()
    page.look(*WIDE, scripts=False)
    page.open(address(server))
    page.press("Tab")
    page.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.press("Tab")
    link = page.evaluate("document.activeElement.getAttribute('href')")
    page.press("Enter")
    assert page.evaluate("location.hash") == link
    page.open(address(server, "/zones"))
    while page.evaluate("document.activeElement.name") != "zone":
        page.press("Tab")
    page.type("Long-")
    page.wait_for_load(lambda: page.press("Enter"))
    assert page.evaluate("location.pathname + location.search") == "/zones?zone=Long-"
    found = [row[0] for row in rows(read(page.document().encode()), "zones")]
    assert found == [f"{'long-' * 11}name.example."]


def test_notes_open_by_keyboard(browser: Chromium, tmp_path: Path) -> None:
    with served(tmp_path) as made:
        check = Check(LOOPBACK, made.target.getsockname()[1])
        made.project.build({"example.org.": made.zone}, serial=2, checks=[check])
        made.server.control("reload")
        wait_for(made, "✓ up")
        assert made.server.control("force", target=LOOPBACK, state="up")["ok"]
        wait_for(made, "1 health check overruled by hand")
        page = browser.page()
        page.look(*WIDE, scripts=False)
        page.open(address(made))
        shown = "document.querySelector('details li').checkVisibility()"
        assert page.evaluate(shown) is False
        while page.evaluate("document.activeElement.tagName") != "SUMMARY":
            page.press("Tab")
        page.press("Space")
        assert page.evaluate(shown) is True


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_it_fits_and_can_be_read(
    browser: Chromium, server: Served, tmp_path: Path, size: tuple[int, int], dark: bool
) -> None:
    page = browser.page()
    page.look(*size, dark=dark)
    for path in PATHS:
        page.open(address(server, path))
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], f"{path} has to be scrolled sideways"
        assert page.evaluate(CONTRASTS) == []
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, back[4:-1].split(","))) < 64) == dark
        page.screenshot(tmp_path / "page.png", whole=True)
    assert page.complaints() == []


def test_where_it_is_narrow_tables_are_tables_still(browser: Chromium, server: Served) -> None:
    trees = []
    for size in (WIDE, NARROW):
        page = browser.page()
        page.look(*size)
        page.open(address(server))
        roles: list[Any] = [node["role"]["value"] for node in page.accessible()]
        trees.append({role: roles.count(role) for role in ("table", "row", "rowheader", "cell")})
    assert trees[0] == trees[1]
    assert trees[0]["rowheader"] > 5
    assert trees[0]["cell"] > 20


def test_on_paper_there_is_what_one_reads_and_nothing_to_press(
    browser: Chromium, server: Served
) -> None:
    page = browser.page()
    page.look(*WIDE, dark=True, media="print")
    page.open(address(server))
    assert page.evaluate("document.querySelector('form').checkVisibility()") is False
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_it_loads_itself_again_where_that_was_chosen(browser: Chromium, server: Served) -> None:
    page = browser.page()
    page.look(*WIDE, scripts=False)
    page.open(address(server, "/?refresh=2"))
    page.wait_for_load(lambda: None)
    assert page.requests() == [address(server, "/?refresh=2")] * 2


def test_a_browser_that_is_asked_for_the_token_is_let_in_with_it(
    browser: Chromium, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    with served(tmp_path, f'http-token-file = "{file}"') as made:
        page = browser.page()
        page.open(address(made))
        assert "example.org" not in page.document()
        assert page.statuses() == [401]
        page = browser.page()
        page.open(address(made).replace("//", f"//me:{TOKEN}@"))
        assert rows(read(page.document().encode()), "zones")
        # It goes on with it.
        page.evaluate("document.querySelector('a[href=\"/zones\"]').focus()")
        page.wait_for_load(lambda: page.press("Enter"))
        assert page.statuses()[-1] == 200
        assert page.evaluate("location.pathname") == "/zones"
        assert TOKEN not in page.document()
        assert not [line for line in made.server.log if TOKEN in line]


def test_a_thousand_zones_and_ten_thousand_checks_are_a_page_like_any_other(
    browser: Chromium, tmp_path: Path
) -> None:
    with served(tmp_path) as made:
        target = made.target.getsockname()[1]
        checks = [
            Check(f"127.0.{n // 250}.{n % 250 + 1}", target, interval=86400) for n in range(10_000)
        ]
        zones = {f"z{n:04}.example.": "" for n in range(1000)}
        made.project.build(zones, serial=2, checks=checks)
        made.server.control("reload")
        wait_for(made, "1 to 12 of 10,000")
        page = browser.page()
        page.look(*WIDE)
        page.open(address(made))
        document = read(page.document().encode())
        assert len(rows(document, "health")) == len(rows(document, "zones")) == FIRST
        page.open(address(made, "/health?page=100"))
        document = read(page.document().encode())
        assert len(rows(document, "health")) == ON_A_PAGE
        assert "9,901 to 10,000 of 10,000" in document.text
        page.open(address(made, "/zones?zone=z0999"))
        found = [row[0] for row in rows(read(page.document().encode()), "zones")]
        assert found == ["z0999.example."]
        assert page.complaints() == []
