"""Chromium without a screen, driven over the pipe of its DevTools protocol: what a page looks like
there, what its keyboard reaches, and what it complains of."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.patience import PATIENCE
from tests.peers._peers.presence import find, require

FLAGS: Final = (
    "--headless=new",
    # Tests run as root, whom its sandbox refuses, and it sees pages of ours alone.
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    # It talks to nobody but us.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=MediaRouter,OptimizationHints,AutofillServerCommunication,DnsOverHttps",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
_KEYS: Final = {"Tab": 9, "Enter": 13, "Space": 32}
_READ: Final = 2**16


class Chromium:
    """``with Chromium(folder) as browser``: running, with a profile of its own in the folder."""

    def __init__(self, folder: Path) -> None:
        require("chromium")
        self._folder = folder
        self._number = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        reading, answers = os.pipe()
        orders, self._orders = os.pipe()
        self._answers = reading
        program = find("chromium")
        assert program is not None, "it was required"
        with (self._folder / "chromium.log").open("ab") as log:
            self._child = subprocess.Popen(
                # It reads orders from descriptor 3, and answers on 4.
                [
                    *("bash", "-c", f'exec "$0" "$@" 3<&{orders} 4>&{answers}', program, *FLAGS),
                    f"--user-data-dir={self._folder / 'profile'}",
                    "about:blank",
                ],
                pass_fds=(orders, answers),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "HOME": str(self._folder)},
            )
        os.close(orders)
        os.close(answers)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._orders)
        os.close(self._answers)
        # Without its pipe it ends; its children are in its group.
        try:
            self._child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait(PATIENCE)

    def page(self) -> Page:
        """A page in a window of its own, which shares nothing with others."""
        context = self.order("Target.createBrowserContext")["browserContextId"]
        made = {"url": "about:blank", "browserContextId": context}
        target = self.order("Target.createTarget", **made)["targetId"]
        attached = self.order("Target.attachToTarget", targetId=target, flatten=True)
        return Page(self, attached["sessionId"])

    def order(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Have something done; what came of it. Fails where it was refused."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._orders, json.dumps(message).encode() + b"\0")
        while True:
            came = self.next()
            if came.get("id") == number:
                assert "error" not in came, f"{method}: {came['error']}"
                result: dict[str, Any] = came["result"]
                return result

    def next(self) -> dict[str, Any]:
        """What it says next; what is no answer is kept in ``events``."""
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            left = end - time.monotonic()
            assert left > 0 and select.select([self._answers], [], [], left)[0], self._log()
            more = os.read(self._answers, _READ)
            assert more, self._log()
            self._rest += more
        one, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(one)
        if "id" not in message:
            self.events.append(message)
        return message

    def _log(self) -> str:
        return f"chromium says nothing: {(self._folder / 'chromium.log').read_text()[-2000:]}"


class Page:
    """A page; sizes are in pixels."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Network", "DOM", "Audits"):
            self.order(f"{domain}.enable")

    def order(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.order(method, self._session, **parameters)

    def look(
        self, width: int, height: int, *, dark: bool = False, scripts: bool = True, media: str = ""
    ) -> None:
        """It is so large, of a dark desktop, runs no scripts of pages, and is on ``media``."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.order("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.order("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.order("Emulation.setScriptExecutionDisabled", value=not scripts)

    def headers(self, **headers: str) -> None:
        """Sends these with all requests."""
        self.order("Network.setExtraHTTPHeaders", headers=headers)

    def open(self, url: str) -> None:
        """Goes there, and waits until all is loaded."""
        self.wait_for_load(lambda: self.order("Page.navigate", url=url))

    def wait_for_load(self, act: Any) -> None:
        """Does something that brings another document, and waits until all of that is loaded."""
        before = len(self._mine("Page.loadEventFired"))
        act()
        while len(self._mine("Page.loadEventFired")) == before:
            self._browser.next()

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        made = self.order("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in made, made
        return made["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and let go of a key."""
        about: dict[str, Any] = {
            "key": " " if key == "Space" else key,
            "code": key,
            "windowsVirtualKeyCode": _KEYS[key],
            "modifiers": 8 if shift else 0,
        }
        text = {"Enter": "\r", "Space": " "}.get(key)
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self.order("Input.dispatchKeyEvent", **down, **about)
        self.order("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """As a keyboard does it, into what has the focus."""
        self.order("Input.insertText", text=text)

    def document(self) -> str:
        """The document as it is now, as HTML."""
        root = self.order("DOM.getDocument", depth=0)["root"]["nodeId"]
        outer: str = self.order("DOM.getOuterHTML", nodeId=root)["outerHTML"]
        return outer

    def accessible(self) -> list[dict[str, Any]]:
        """The tree that a screen reader is given, as a list of nodes that are not ignored."""
        nodes = self.order("Accessibility.getFullAXTree")["nodes"]
        return [node for node in nodes if not node["ignored"]]

    def screenshot(self, file: Path, *, whole: bool = False) -> bytes:
        """What it looks like, as PNG, in a file too; ``whole``: what one has to scroll to as
        well."""
        made = self.order("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        octets = base64.b64decode(made["data"])
        file.write_bytes(octets)
        return octets

    def complaints(self) -> list[str]:
        """What its console has, exceptions, violations of the Content-Security-Policy, and requests
        that failed."""
        found = []
        for method in (
            "Log.entryAdded",
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Audits.issueAdded",
            "Network.loadingFailed",
        ):
            found += [f"{method} {one['params']}" for one in self._mine(method)]
        return found

    def requests(self) -> list[str]:
        """The addresses of all that was asked for."""
        return [one["params"]["request"]["url"] for one in self._mine("Network.requestWillBeSent")]

    def statuses(self) -> list[int]:
        """The status of each answer."""
        return [
            one["params"]["response"]["status"] for one in self._mine("Network.responseReceived")
        ]

    def _mine(self, method: str) -> list[dict[str, Any]]:
        return [
            one
            for one in self._browser.events
            if one["method"] == method and one.get("sessionId") == self._session
        ]
