"""Debian's Chromium, driven by its own driver: started without a window, told to go nowhere, closed afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.servers import require

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)


class Browser:
    """A Chromium, and what it did: what its pages said on the console and which hosts they asked."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False, still: bool = False) -> None:
        """Open a page in a window of this size, as somebody who likes it so."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self.cdp("Emulation.setEmulatedMedia", media="", features=features)
        self.driver.get(url)

    def cdp(self, command: str, **values: Any) -> Any:
        """Tell the browser something in its own protocol."""
        return self.driver.execute_cdp_cmd(command, values)

    def run(self, script: str, *args: Any) -> Any:
        """What a script on the page answers."""
        return self.driver.execute_script(script, *args)

    def all(self, selector: str) -> list[Any]:
        """Every element that fits a selector."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        """The first element that fits a selector."""
        return self.driver.find_element("css selector", selector)

    def said(self) -> list[str]:
        """What was said on the console since the last time, warnings and errors."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def hosts(self) -> set[str]:
        """Which hosts were asked for anything since the last time."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                address = urlsplit(message["params"]["request"]["url"])
                if address.scheme not in {"data", "blob", "about", "chrome"}:
                    found.add(f"{address.scheme}://{address.netloc}")
        return found

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Save what is seen; `whole` is the page to its end."""
        import base64

        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium(folder: Path, *, javascript: bool = True) -> Iterator[Browser]:
    """A browser with a profile of its own; downloads go to `folder`."""
    program, driver_program = require("chromium", "chromium"), require("chromedriver", "chromium-driver")
    options = Options()
    options.binary_location = program
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option(
        "prefs",
        {
            "download.default_directory": str(folder),
            "download.prompt_for_download": False,
            "profile.managed_default_content_settings.javascript": 1 if javascript else 2,
        },
    )
    driver = webdriver.Chrome(options=options, service=Service(driver_program))
    try:
        driver.set_page_load_timeout(30)
        yield Browser(driver)
    finally:
        driver.quit()
