"""The documentation in a real browser: it fits a phone, asks the network for nothing, and finds by search."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.html_report.browsers import asked_for, chromium, complaints

ROOT = Path(__file__).parents[2]
WIDTHS = "return [document.documentElement.scrollWidth, innerWidth]"
BROKEN_IMAGES = "return [...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)"
FIRST_SHOWN = """
    const shown = document.querySelectorAll("article img, article pre, article .doc-signature, article svg");
    return Math.min(...[...shown].map((part) => part.getBoundingClientRect()).filter((box) => box.height)
        .map((box) => box.top + scrollY));
"""
FIND = """
    const field = document.querySelector("input.md-search__input");
    field.focus(), field.value = arguments[0];
    field.dispatchEvent(new KeyboardEvent("keyup"));
"""
FOUND = "return [...document.querySelectorAll('.md-search-result__item a')].map((link) => link.href)"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Leave standard error alone."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages."""
    pytest.importorskip("mkdocstrings", reason="what builds the documentation is not installed")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr  # with --quiet, --strict would let warnings pass
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the pages are served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(str(tmp_path_factory.mktemp("profile"))) as started:
        yield started


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_fits_and_needs_nothing_from_elsewhere(
    width: int, site: Path, address: str, driver: Any
) -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 1000}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("index.html"))
    assert len(pages) > 30
    asked_for(driver), complaints(driver)
    for page in pages:
        driver.get(address + page)
        driver.execute_script("scrollTo(0, document.body.scrollHeight)")
        wide, window = driver.execute_script(WIDTHS)
        assert wide <= window == width, page
        assert driver.execute_script(BROKEN_IMAGES) == [], page
        assert [url for url in asked_for(driver) if not url.startswith(address)] == [], page
        assert complaints(driver) == [], page


def test_the_first_screen_of_every_page_has_an_image_or_code(site: Path, address: str, driver: Any) -> None:
    metrics = {"width": 1280, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    late = {}
    for page in sorted(path.relative_to(site).as_posix() for path in site.rglob("index.html")):
        driver.get(address + page)
        if (top := driver.execute_script(FIRST_SHOWN)) is None or top > 700:
            late[page] = top
    assert late == {}


def test_search_finds_a_class_without_a_network(address: str, driver: Any) -> None:
    driver.get(address)
    driver.execute_script(FIND, "HandMatte")
    end = time.monotonic() + 30
    while not (links := driver.execute_script(FOUND)) and time.monotonic() < end:
        time.sleep(0.1)
    assert any(link.startswith(f"{address}reference/segmentation/") for link in links)
    assert [url for url in asked_for(driver) if not url.startswith(address)] == []
