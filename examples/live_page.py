"""A page for one machine: the latest image as a motion JPEG, and the latest text beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"  # no other machine can connect
PATIENCE = 10.0  # seconds in which a request must come
PART = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n"
SCRIPT = """
addEventListener("load", () => {  // an image that never ends would keep the page from being loaded
  document.querySelector("img").src = "frames";
  new EventSource("answers").onmessage = (event) => {
    document.querySelector("output").textContent = JSON.parse(event.data);
  };
});
"""
STYLE = "body{background:#181818;color:#fff;font:2rem sans-serif}img{max-width:100%;display:block}"
HTML = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>handprep live</title>
<style>{STYLE}</style>
<img alt="the camera's image with the hand drawn, and the prepared image">
<output>waiting</output>
<script>{SCRIPT}</script></html>"""


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    "default-src 'none'; img-src 'self'; connect-src 'self'; frame-ancestors 'none'",
    f"script-src {_hashed(SCRIPT)}; style-src {_hashed(STYLE)}",
)
HEADERS = {
    "Content-Security-Policy": "; ".join(POLICY),
    "Cross-Origin-Resource-Policy": "same-origin",  # else any web page could show the camera's image
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Page:
    """What the page shows: the latest image and text. Slow readers miss images, and hold nobody up.

    Attributes
    ----------
    watched
        Set once somebody has opened the page.
    """

    def __init__(self) -> None:
        self.watched = threading.Event()
        self._changed = threading.Condition()
        self._number, self._jpeg, self._text = 0, b"", ""

    def publish(self, jpeg: bytes, text: str) -> None:
        """Show an image and a text from now on."""
        with self._changed:
            self._number, self._jpeg, self._text = self._number + 1, jpeg, text
            self._changed.notify_all()

    def views(self) -> Iterator[tuple[bytes, str]]:
        """Yield the latest image and text, and then each time the latest after that."""
        self.watched.set()
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._number > seen)  # noqa: B023 - called at once
                seen, view = self._number, (self._jpeg, self._text)
            yield view


@contextmanager
def serve(page: Page, port: int = 8000) -> Iterator[str]:
    """Serve a page to this machine's browsers, and give its address."""

    class Handler(_Handler):
        shown = page

    with ThreadingHTTPServer((HOST, port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    shown: Page
    timeout = PATIENCE

    def do_GET(self) -> None:
        answers = {"/": self._page, "/frames": self._frames, "/answers": self._answers}
        port = self.server.server_address[1]
        # A web page elsewhere can give its own name this machine's address, and then read what we send.
        if self.headers["Host"] not in (f"{HOST}:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif self.path not in answers:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            try:
                answers[self.path]()
            except (ConnectionError, TimeoutError):  # the browser has gone
                self.close_connection = True

    def _start(self, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": kind, **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()

    def _page(self) -> None:
        self._start("text/html; charset=utf-8")
        self.wfile.write(HTML.encode())

    def _frames(self) -> None:
        self._start("multipart/x-mixed-replace; boundary=frame")
        self.wfile.write(PART)
        for jpeg, _ in self.shown.views():
            # With the head of the next part, as Chromium shows no image before that.
            self.wfile.write(jpeg + b"\r\n" + PART)

    def _answers(self) -> None:
        self._start("text/event-stream")
        for _, text in self.shown.views():
            self.wfile.write(f"data: {json.dumps(text)}\n\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: a line a request would hide what matters."""
