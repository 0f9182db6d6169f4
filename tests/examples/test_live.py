"""The live page: a clip through a saved pipeline and a small classifier, in a browser and over the wire."""

from __future__ import annotations

import base64
import http.client
import http.server
import io
import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from handprep import (
    Greyscale,
    HandCropper,
    InputError,
    Pipeline,
    ResizePad,
    Sample,
    Skeleton,
    Transform,
    draw,
    features,
    video,
)
from tests.html_report.browsers import asked_for, chromium, complaints
from tests.rendered import RENDERED, photos

sys.path.insert(0, str(RENDERED.parent))

import live
import live_page

PIPELINE = Pipeline([HandCropper(search=False, on_missing="skip"), ResizePad(64), Greyscale()])
ROCK, PAPER = (next(hand for hand in photos()[7:16] if hand.label == label) for label in ("rock", "paper"))
ANSWER = "return document.querySelector('output').textContent"
SHOWN = """
    const image = document.images[0], canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/png").split(",")[1];
"""
EMBED = """
    const image = document.body.appendChild(new Image());
    image.onerror = () => document.title = "refused";
    setInterval(() => { if (image.naturalWidth) document.title = "shown"; }, 50);
    image.src = arguments[0];
"""
FRAMES = 12  # of each hand, and between them as many of a wall


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a moving rock, a wall and a moving paper."""
    path = tmp_path_factory.mktemp("clip") / "hände.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (480, 360))
    rock, paper = (np.asarray(PIL.Image.open(hand.path))[..., ::-1] for hand in (ROCK, PAPER))
    for image in (rock, np.full_like(rock, 200), paper):
        for step in range(FRAMES):
            writer.write(np.roll(image, 2 * step, axis=1))
    writer.release()
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier by the nearest of two hands' joint angles, which is linear in them."""
    hands = [PIPELINE.run(hand.path).hand for hand in (ROCK, PAPER)]
    means = np.stack([features.joint_angles(hand) for hand in hands])
    path = tmp_path_factory.mktemp("model") / "model.npz"
    bias = -0.5 * (means**2).sum(1)
    np.savez(path, features="joint_angles", classes=["rock", "größe"], weights=means.T, bias=bias)
    return path


@pytest.fixture
def served() -> Iterator[tuple[live_page.Page, http.client.HTTPConnection]]:
    page = live_page.Page()
    with live_page.serve(page, 0) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
        yield page, connection
        connection.close()


def jpeg(grey: int) -> bytes:
    return cv2.imencode(".jpg", np.full((48, 64, 3), grey, np.uint8))[1].tobytes()


def test_each_frame_has_its_answer_also_without_a_hand(clip: Path, model: Path) -> None:
    views = list(live.views(video.frames(clip), PIPELINE, live.landmark_classifier(model)))

    said = [view.text.split(" ")[0] for view in views]
    assert [label for label, _ in itertools.groupby(said)] == ["rock", "no", "größe"]
    assert len(views) == 3 * FRAMES
    assert {view.image.shape for view in views} == {(360, 480 + 180, 3)}


@pytest.mark.parametrize(
    "after", [[ResizePad(64), Greyscale()], [Skeleton(view="palm", size=64, on_missing="raise")]]
)
def test_the_view_has_the_drawn_frame_and_the_prepared_image(clip: Path, after: list[Transform]) -> None:
    frame = next(video.frames(clip))
    crop = Pipeline([HandCropper(search=False, on_missing="raise")])
    (view,) = live.views([frame], crop + after, lambda _: ("rock", 0.5))

    hand = crop.run(frame).hand.transformed(crop.run(frame).to_source)
    assert np.array_equal(view.image[:, :480], draw(frame.image, hand, label=False))
    shown = cv2.resize(np.asarray(view.image[:180, 480:]), (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(shown[..., 0].astype(int) - (crop + after).run(frame).image).mean() < 4
    assert view.text == "rock 50%"


def test_a_clip_is_shown_at_its_own_speed() -> None:
    frames = [Sample(image=np.zeros((4, 4, 3), np.uint8), time=5 + number / 20) for number in range(5)]
    begin = time.monotonic()

    assert list(live.paced(frames)) == frames
    assert time.monotonic() - begin >= 4 / 20


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=[1])
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "code.npz", classes=np.array([{}], object), weights=[1], bias=[1], features="x")

    for path in [*sorted(tmp_path.iterdir()), tmp_path / "missing.npz"]:
        with pytest.raises(InputError, match=f"{path.name} has no features, classes, weights and bias"):
            live.landmark_classifier(path)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "evil.example:{port}", ""])
@pytest.mark.parametrize("path", ["/", "/frames", "/answers"])
def test_a_request_that_names_another_host_is_refused(served: Any, host: str, path: str) -> None:
    page, connection = served
    page.publish(jpeg(0), "secret")
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host.format(port=connection.port))
    connection.endheaders()
    answer = connection.getresponse()

    assert answer.status == 421
    assert b"secret" not in answer.read()


def test_only_this_machine_can_connect_and_other_pages_cannot_embed(served: Any) -> None:
    page, connection = served
    page.publish(jpeg(0), "rock")
    for path in ("/", "/frames", "/answers"):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
        assert answer.getheader("Cache-Control") == "no-store"
        connection.close()

    assert connection.host == live_page.HOST == "127.0.0.1"
    connection.request("GET", "/../live.py")
    assert connection.getresponse().status == 404


def test_a_reader_gets_the_latest_image_and_a_slow_one_holds_nobody_up(served: Any) -> None:
    page, connection = served
    page.publish(jpeg(10), "first")
    connection.request("GET", "/frames")
    stuck = connection.getresponse()
    begin = time.monotonic()
    for grey in range(200):
        page.publish(jpeg(grey) + bytes(200_000), "more")
    assert time.monotonic() - begin < 5

    assert stuck.readline() == b"--frame\r\n"
    other = http.client.HTTPConnection(live_page.HOST, connection.port, timeout=10)
    other.request("GET", "/frames")
    reader = other.getresponse()
    head = [reader.readline() for _ in range(3)]
    assert head == [b"--frame\r\n", b"Content-Type: image/jpeg\r\n", b"\r\n"]
    assert reader.read(len(jpeg(199)) + 200_000) == jpeg(199) + bytes(200_000)
    # The next boundary comes at once: browsers show no image before it.
    assert [reader.readline(), reader.readline()] == [
        b"\r\n",
        b"--frame\r\n",
    ]
    other.close()


def test_readers_that_have_left_are_forgotten(served: Any) -> None:
    page, connection = served
    before = threading.active_count()
    for _ in range(5):
        connection.request("GET", "/answers")
        page.publish(jpeg(0), "rock")
        assert connection.getresponse().readline() == b'data: "rock"\n'
        connection.close()
    for number in range(100):
        page.publish(jpeg(0), str(number))
        time.sleep(0.02)
        if threading.active_count() <= before:
            break
    assert threading.active_count() <= before


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(str(tmp_path_factory.mktemp("profile"))) as started:
        yield started


class OtherPage(http.server.BaseHTTPRequestHandler):
    """A web page of somebody else's, for a browser that shows ours, too."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_another_web_page_cannot_show_the_camera(driver: Any, served: Any) -> None:
    page, connection = served
    page.publish(jpeg(0), "rock")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OtherPage) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        driver.get(f"http://localhost:{other.server_port}")
        driver.execute_script(EMBED, f"http://{live_page.HOST}:{connection.port}/frames")
        end = time.monotonic() + 20
        while driver.title not in ("shown", "refused") and time.monotonic() < end:
            page.publish(jpeg(0), "rock")
            time.sleep(0.05)
        other.shutdown()

    assert driver.title == "refused"


@pytest.fixture
def program(clip: Path, model: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """examples/live.py as a user starts it, with its page."""
    (tmp_path / "pipeline.json").write_text(PIPELINE.to_json(), encoding="utf-8")
    command = [sys.executable, "-u", live.__file__, str(tmp_path / "pipeline.json"), str(model), str(clip)]
    with subprocess.Popen([*command, "--page", "--port", "0"], stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def test_a_browser_shows_the_clip_and_the_class(driver: Any, program: Any, clip: Path, model: Path) -> None:
    *_, last = live.views(video.frames(clip), PIPELINE, live.landmark_classifier(model))
    address = program.stdout.readline().split()[1]
    driver.get("about:blank")
    asked_for(driver), complaints(driver)
    driver.get(address)
    told: list[str] = []
    end = time.monotonic() + 60
    while "größe" not in told and time.monotonic() < end:
        told.append(driver.execute_script(ANSWER).split(" ")[0])

    labels = [label for label, _ in itertools.groupby(told)]
    assert labels in (["rock", "no", "größe"], ["waiting", "rock", "no", "größe"])
    assert program.stdout.readline() == "that was the last frame\n"
    time.sleep(1)
    shown = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(driver.execute_script(SHOWN)))))
    assert np.abs(shown[..., :3].astype(int) - last.image).mean() < 2  # JPEG 0.7, a frame late 3.5
    assert {f"{address}/frames", f"{address}/answers"} <= set(asked_for(driver))
    assert [line for line in complaints(driver) if "favicon" not in line] == []
    program.send_signal(signal.SIGINT)
    assert program.wait(20) == 0


@pytest.mark.parametrize(
    ("source", "said"), [("missing.mp4", "missing.mp4"), ("99", "camera 99 cannot be opened")]
)
def test_what_cannot_be_shown_is_one_line(
    source: str, said: str, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pipeline.json").write_text(PIPELINE.to_json(), encoding="utf-8")

    assert live.main([str(tmp_path / "pipeline.json"), str(model), source, "--page", "--port", "0"]) == 1
    assert f"live.py: {said}" in capfd.readouterr().err
