"""Chromium without a window, driven over its debugging pipe: what the tests of pages need, no more."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--mute-audio", "--remote-debugging-pipe")
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
        "ArrowDown": 40}


def binary() -> str | None:
    """Chromium's path: ``$CHROMIUM``, or the first of ``NAMES`` on the PATH; None without one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a Chromium process; messages go through file descriptors 3 and 4 of the child."""

    def __init__(self, path: str, profile: str) -> None:
        mine, theirs = _pipes()
        self._out, self._in = mine
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in theirs]

        def place() -> None:  # in the child, before exec
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"], preexec_fn=place,
            pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (*theirs, *high):
            os.close(fd)
        self._buffer, self._number = b"", 0
        self.session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._in, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, path: Path) -> None:
        """Load a file and wait until it has loaded; forgets earlier events."""
        self.events.clear()
        self.send("Page.navigate", url=Path(path).resolve().as_uri())
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.events.append(self._receive())
        self.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, promises awaited."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description", "?"))
        return found["result"].get("value")

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and exceptions, since the page was opened."""
        out = []
        for event in self.events:
            name, p = event["method"], event["params"]
            if name == "Runtime.exceptionThrown":
                out.append(str(p["exceptionDetails"]))
            elif name == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
                out.append(str(p["args"]))
            elif name == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
                out.append(p["entry"]["text"])
        return out

    def requests(self) -> list[str]:
        """Addresses that the page asked for, ``data:`` ones left out."""
        return [url for e in self.events if e["method"] == "Network.requestWillBeSent"
                if not (url := e["params"]["request"]["url"]).startswith("data:")]

    def view(self, width: int, height: int, *, dark: bool = False, phone: bool = False,
             media: str = "screen") -> None:
        """Size of the window, colour scheme, touch, and ``media`` (screen or print)."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone, maxTouchPoints=1)
        self.send("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])

    def picture(self, path: Path) -> None:
        """What the window shows, as PNG."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 4) -> None:
        """With the mouse, from one point of the window to another."""
        def mouse(kind: str, x: float, y: float, buttons: int) -> None:
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons,
                      clickCount=1)
        mouse("mouseMoved", *start, 0)
        mouse("mousePressed", *start, 1)
        for x, y in _between(start, end, steps):
            mouse("mouseMoved", x, y, 1)
        mouse("mouseReleased", *end, 0)

    def swipe(self, start: tuple[float, float], end: tuple[float, float], steps: int = 6) -> None:
        """With one finger."""
        def touch(kind: str, *points: tuple[float, float]) -> None:
            self.send("Input.dispatchTouchEvent", type=kind, touchPoints=[
                {"x": x, "y": y} for x, y in points])
        touch("touchStart", start)
        for point in _between(start, end, steps):
            touch("touchMove", point)
        touch("touchEnd")

    def press(self, key: str, *, shift: bool = False) -> None:
        """One key, down and up."""
        common = {"key": key, "windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper())),
                  "modifiers": 8 if shift else 0}
        text = {"text": key} if len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def close(self) -> None:
        """End the process."""
        self.session = None
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            self.send("Browser.close")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._in)
        os.close(self._out)

    def _receive(self, timeout: float = 40) -> dict[str, Any]:
        end = time.monotonic() + timeout
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._out], [], [], max(0, end - time.monotonic()))
            chunk = os.read(self._out, 1 << 20) if ready else b""
            if not chunk:
                raise TimeoutError("Chromium ended or does not answer")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(line)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium with an empty profile, ended at the end.

    Raises:
        FileNotFoundError: there is none (see :func:`binary`).
    """
    path = binary()
    if path is None:
        raise FileNotFoundError(f"no Chromium: set $CHROMIUM or put one of {', '.join(NAMES)} on the PATH")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        found = Browser(path, profile)
        try:
            yield found
        finally:
            found.close()


def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """``(ours to read, ours to write), (the child's to read, the child's to write)``."""
    child_reads, we_write = os.pipe()
    we_read, child_writes = os.pipe()
    return (we_read, we_write), (child_reads, child_writes)


def _between(
    start: tuple[float, float], end: tuple[float, float], steps: int
) -> Iterator[tuple[float, float]]:
    for k in range(1, steps + 1):
        yield tuple(a + (b - a) * k / steps for a, b in zip(start, end, strict=True))
