"""A Firefox without a window, driven by its own remote protocol (Marionette): lines of JSON over a socket."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

# nothing is fetched or told by the browser itself, and the port is one that is free
PREFERENCES = {
    "marionette.port": 0, "app.update.enabled": False, "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False, "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False, "browser.startup.homepage": "about:blank",
}  # fmt: skip
SECONDS = 60


class Firefox:
    """One browser with one page.

    Args:
        executable: of Firefox.
        profile: an empty folder.
    """

    def __init__(self, executable: str, profile: Path) -> None:
        profile.mkdir()
        told = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items())
        (profile / "user.js").write_text("\n".join(told))
        command = [executable, "--headless", "--no-remote", "--marionette", "--profile", str(profile)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port, end = profile / "MarionetteActivePort", time.monotonic() + SECONDS
        while not port.is_file() or not port.read_text():
            assert time.monotonic() < end, "the browser did not start"
            time.sleep(0.05)
        self._socket = socket.create_connection(("127.0.0.1", int(port.read_text())), SECONDS)
        self._file, self._number = self._socket.makefile("rb"), 0
        self._next()  # what the browser says of itself
        self.call("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})

    def _next(self) -> Any:
        size = b""
        while (one := self._file.read(1)) != b":":
            assert one, "the browser has gone"
            size += one
        return json.loads(self._file.read(int(size)))

    def call(self, method: str, options: dict[str, Any]) -> Any:
        """What a method of the protocol gives."""
        self._number += 1
        text = json.dumps([0, self._number, method, options]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._next()
        assert error is None, error
        return result

    def open(self, page: Path, behind: str = "") -> None:
        """Opens a file; `behind` follows its address."""
        self.call("WebDriver:Navigate", {"url": page.as_uri() + behind})

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.call("WebDriver:ExecuteScript", {"script": f"return ({script})", "args": []})["value"]

    def until(self, script: str) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + SECONDS
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)

    def close(self) -> None:
        """Ends the browser."""
        self._file.close()
        self._socket.close()
        self._process.terminate()
        self._process.wait(SECONDS)
