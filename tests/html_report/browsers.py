"""A real browser for tests: Chromium, driven by Selenium."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--window-size=1200,900",
)


@contextmanager
def chromium(profile: str) -> Iterator[Any]:
    """Give a driver of a fresh browser; skip where there is none.

    Parameters
    ----------
    profile
        An empty folder for what the browser keeps.
    """
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # with the driver's path, Selenium looks for none to download
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield started
    finally:
        started.quit()


def asked_for(driver: Any) -> list[str]:
    """Return the addresses that pages have asked for since the last call, also those refused to them.

    What lies within a page (``data:``) is left out.
    """
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    addresses = [event["params"]["request"]["url"] for event in sent]
    return [address for address in addresses if not address.startswith("data:")]


def complaints(driver: Any) -> list[str]:
    """Return what the browser has complained about since the last call: errors, breaches of the policy."""
    return [entry["message"] for entry in driver.get_log("browser")]
