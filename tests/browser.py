"""A Chromium without a window, driven through a pipe: pages are opened from files, and what they ask for is seen."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
           "--disable-component-update", "--disable-sync", "--remote-debugging-pipe")  # fmt: skip
SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")  # a GPU that the processor plays
SECONDS = 60


class Browser:
    """One browser with one page.

    Args:
        executable: of Chromium.
        profile: an empty folder.
        has_gpu: whether pages may ask a GPU, played by the processor.

    Attributes:
        requests: addresses that the page asked for since it was opened, itself not counted.
        errors: what went wrong in its scripts.
    """

    def __init__(self, executable: str, profile: Path, *, has_gpu: bool = False) -> None:
        (read, self._out), (self._in, write) = os.pipe(), os.pipe()

        def pipes() -> None:
            os.dup2(read, 3)
            os.dup2(write, 4)

        # pipes above the two numbers that Chromium reads and writes
        options = OPTIONS + SOFTWARE_GPU if has_gpu else OPTIONS
        command = [executable, *options, f"--user-data-dir={profile}", "about:blank"]
        kept = [os.dup(fd) for fd in (read, write)] if {read, write} & {3, 4} else []
        self._process = subprocess.Popen(command, preexec_fn=pipes, pass_fds=(3, 4, read, write),
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        for fd in (read, write, *kept):
            os.close(fd)
        self._rest, self._number, self._session = b"", 0, ""
        self.requests: list[str] = []
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **options: Any) -> Any:
        """What a method of the protocol gives."""
        self._number += 1
        told = {"id": self._number, "method": method, "params": options}
        told |= {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps(told).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._note(message)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._in], [], [], SECONDS)[0], "the browser says nothing"
            part = os.read(self._in, 1 << 16)
            assert part, "the browser has gone"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def _note(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(told["exceptionDetails"])[:500])
        elif message.get("method") == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(told["entry"]["text"])

    def open(self, page: Path) -> None:
        """Opens a file and waits for its scripts."""
        self.requests.clear()
        self.errors.clear()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=page.as_uri())
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")
        self.requests = [url for url in self.requests if url not in (page.as_uri(), "about:blank")]

    def run(self, script: str) -> Any:
        """The value of an expression, awaited where it is a promise."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + SECONDS
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)

    def press(self, key: str, code: int) -> None:
        """A key, by its name and its number."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ({"type": "keyDown", **text}, {"type": "keyUp"}):
            self.call("Input.dispatchKeyEvent", key=key, windowsVirtualKeyCode=code, **kind)

    def picture(self, path: Path, width: int, *, dark: bool = False) -> None:
        """A picture of the whole page at a width."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme",
                                                           "value": "dark" if dark else "light"}])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """Ends the browser."""
        self._process.terminate()
        self._process.wait(SECONDS)
        os.close(self._out)
        os.close(self._in)
