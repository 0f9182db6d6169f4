"""Frames of clips, cameras and animations."""

from __future__ import annotations

import gc
import json
import os
import wave
from contextlib import suppress
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handprep import Pipeline, ResizePad, images, read
from handprep.errors import ImageError, InputError
from handprep.video import frames
from tests import clips


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.write(tmp_path_factory.mktemp("clips") / "clip.avi", clips.counted(50))


def numbers(samples: object) -> list[int]:
    return [int(sample.source.rpartition("#")[2]) for sample in samples]  # type: ignore[attr-defined]


def brightness(sample: object) -> float:
    image = sample.image  # type: ignore[attr-defined]
    return float(image[:, image.shape[1] * 3 // 4 :].mean())


CODECS = [("a.mp4", "mp4v"), ("a.mov", "mp4v"), ("a.mkv", "FFV1"), ("a.webm", "VP80"), ("a.avi", "MJPG")]


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_every_container_gives_its_frames_in_rgb_with_number_and_time(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = clips.write(tmp_path / name, clips.counted(30), codec)
    samples = list(frames(path))
    assert [sample.source for sample in samples] == [f"{path}#{n:06d}" for n in range(30)]
    assert [sample.time for sample in samples] == pytest.approx([n / clips.FPS for n in range(30)], abs=1e-3)
    shown = np.array([brightness(sample) for sample in samples])
    assert shown == pytest.approx(clips.STEP * np.arange(30.0), abs=clips.STEP / 2)
    red, green, blue = samples[5].image[24, 10].tolist()
    assert red > 150
    assert max(green, blue) < 60


@settings(deadline=None, max_examples=30)
@given(
    every=st.integers(1, 60),
    start=st.floats(0, 3),
    length=st.none() | st.floats(0, 3),
)
def test_every_start_and_stop_choose_by_number_and_time(
    clip: Path, every: int, start: float, length: float | None
) -> None:
    stop = None if length is None else start + length
    chosen = numbers(frames(clip, every=every, start=start, stop=stop))
    times = [(n, n / clips.FPS) for n in range(0, 50, every)]
    assert chosen == [n for n, t in times if t >= start - 1e-6 and (stop is None or t < stop)]


@pytest.mark.parametrize(("fps", "count"), [(100, 50), (25, 50), (12.5, 25), (10, 20), (7, 14), (0.5, 1)])
def test_fps_is_at_most_so_many_a_second(clip: Path, fps: float, count: int) -> None:
    times = [sample.time for sample in frames(clip, fps=fps)]
    assert len(times) == count
    assert all(sum(t <= u < t + 1 - 1e-6 for u in times) <= max(1, np.ceil(fps)) for t in times)


def test_a_pipeline_maps_frames_and_their_times(clip: Path) -> None:
    done = list(Pipeline([ResizePad(16)]).map(frames(clip, every=10)))
    assert numbers(done) == [0, 10, 20, 30, 40]
    assert [sample.time for sample in done] == pytest.approx([0, 0.4, 0.8, 1.2, 1.6])


def test_a_saved_frame_keeps_its_time(clip: Path, tmp_path: Path) -> None:
    sample = next(frames(clip, start=1))
    sample.save(tmp_path / "frame.png")
    assert read(tmp_path / "frame.png").time == sample.time == 1.0


def test_the_rotation_of_a_phones_clip_is_honoured(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "phone.mp4", clips.counted(3), "mp4v")
    clips.turned_by_metadata(path)
    sample = next(frames(path))
    assert sample.size == (48, 64)
    assert sample.image[10, 24, 0] > 150 > sample.image[54, 24, 0]  # what was left is on top


@pytest.mark.parametrize("size", [(63, 47), (3, 5), (641, 3)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = clips.write(tmp_path / "odd.mkv", clips.counted(3, *size), "FFV1")
    wide, high = next(frames(path)).size
    assert abs(wide - size[0]) <= 1 and abs(high - size[1]) <= 1  # OpenCV's writer makes some even


def test_grey_clips_become_rgb(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "grey.avi", [frame[..., 1] for frame in clips.counted(5)], "FFV1")
    assert next(frames(path, start=0.1)).image[24, 60].tolist() == pytest.approx([3 * clips.STEP] * 3, abs=1)


def test_ten_and_more_bits_become_eight(tmp_path: Path) -> None:
    path = tmp_path / "deep.mkv"
    code = cv2.VideoWriter_fourcc(*"FFV1")  # type: ignore[attr-defined]
    deep = [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, 25, (64, 48), deep)
    assert writer.isOpened()
    writer.write(np.full((48, 64), 100 << 8, np.uint16))
    writer.release()
    assert next(frames(path)).image.mean() == pytest.approx(100, abs=2)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "FFV1"), ("a.webm", "VP80")])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_clip_that_is_cut_short_ends_with_an_error_after_its_good_frames(
    tmp_path: Path, name: str, codec: str, share: float
) -> None:
    path = clips.write(tmp_path / name, clips.counted(30), codec)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    stream, count = frames(path), 0
    with pytest.raises(ImageError, match=rf"{name} is cut short or damaged: \d+ frames of it are whole"):
        for count, sample in enumerate(stream, start=1):
            assert brightness(sample) == pytest.approx(clips.STEP * (count - 1), abs=clips.STEP / 2)
    assert share * 30 - 6 <= count < 30


def test_an_avi_of_which_a_later_part_is_cut_short_is_noticed(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.avi", clips.counted(5))
    path.write_bytes(path.read_bytes() + b"RIFF" + (1 << 20).to_bytes(4, "little") + b"AVIX")
    with pytest.raises(ImageError, match="4 frames of it are whole"):
        list(frames(path))


def test_frames_that_a_webcam_dropped_are_no_damage(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.avi", clips.counted(8))
    clips.drop_frames(path, {2, 5})
    seen = [(round(sample.time * clips.FPS), brightness(sample)) for sample in frames(path)]  # type: ignore[operator]
    kept = [number for number in range(8) if number not in (2, 5)]
    assert [number for number, _ in seen] == kept
    assert [bright for _, bright in seen] == pytest.approx([clips.STEP * n for n in kept], abs=clips.STEP / 2)


@pytest.mark.parametrize("share", [0.3, 0.95])
def test_an_mp4_whose_index_is_cut_off_is_an_image_error(tmp_path: Path, share: float) -> None:
    path = clips.write(tmp_path / "a.mp4", clips.counted(30), "mp4v")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImageError, match=r"a\.mp4 is cut short or damaged: 0 frames"):
        list(frames(path))


def test_what_is_no_clip_is_an_image_error(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    (tmp_path / "noise.mp4").write_bytes(bytes([0, 0, 0, 16]) + b"ftypisom" + bytes(400))
    for name, problem in {
        "a.wav": "no known kind of clip",
        "empty.mp4": "0 bytes",
        "list.mp4": "no known kind of clip",
        "noise.mp4": "no video in it",
        "missing.mp4": "no such file",
        ".": "a folder",
    }.items():
        with pytest.raises(ImageError, match=problem):
            next(frames(tmp_path / name))


def test_a_name_that_is_not_utf8_is_an_image_error_and_no_crash(tmp_path: Path, clip: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.avi")
    try:
        Path(path).write_bytes(clip.read_bytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(ImageError, match=r"udcff\.avi cannot be read: rename it, in UTF-8"):
        next(frames(path))


def test_a_clip_without_frames_and_one_with_sound_alone(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.avi", clips.counted(5))
    content = path.read_bytes()
    (tmp_path / "sound.avi").write_bytes(content.replace(b"vids", b"auds"))
    (tmp_path / "codec.avi").write_bytes(content.replace(b"MJPG", b"ZZZZ"))
    for name in ("sound.avi", "codec.avi"):
        with pytest.raises(ImageError, match=rf"{name} .*(no video|whole)"):
            next(frames(tmp_path / name))


def test_there_is_no_camera() -> None:
    with pytest.raises(ImageError, match="camera 97 cannot be opened"):
        next(frames(97))


def test_a_camera_counts_its_frames_and_their_time(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    file, opened = str(clip), cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda index, backend: opened(file, cv2.CAP_FFMPEG))
    stream = frames(0)
    first, second = islice(stream, 2)
    assert (first.source, second.source) == ("camera 0#000000", "camera 0#000001")
    assert first.time is not None and second.time is not None and 0 <= first.time < second.time
    with pytest.raises(ImageError, match="camera 0 gives no further image"):
        list(stream)


@pytest.mark.parametrize(
    "options",
    [{"every": 0}, {"every": 1.5}, {"fps": 0}, {"fps": float("nan")}, {"start": -1}, {"start": 2, "stop": 1}],
)
def test_bad_parameters_are_refused_at_once(clip: Path, options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=list(options)[-1]):
        frames(clip, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [-1, True, 1.0, None, b"a.mp4"])
def test_a_source_is_a_path_or_an_index(source: object) -> None:
    with pytest.raises(InputError, match="source must be"):
        frames(source)  # type: ignore[arg-type]


def test_a_frame_beyond_the_limit_of_pixels_is_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 48 * 3 - 1)
    with pytest.raises(ImageError, match="64 x 48 pixels a frame"):
        next(frames(clip))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files by Linux' /proc")
def test_a_clip_is_closed_with_its_iterator(clip: Path) -> None:
    def is_open() -> bool:
        return str(clip) in (str(link.resolve()) for link in Path("/proc/self/fd").iterdir())

    stream = frames(clip)
    next(stream)
    assert is_open()
    stream.close()  # type: ignore[attr-defined]
    assert not is_open()
    next(frames(clip))
    gc.collect()
    assert not is_open()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from Linux' /proc")
def test_memory_does_not_grow_with_a_clip(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "long.avi", clips.counted(60, 320, 240) * 50)
    sizes = []
    for number, _ in enumerate(frames(path)):
        if number % 500 == 499:
            sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    assert len(sizes) == 6
    assert max(sizes[1:]) - sizes[0] < 4e6


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_animations_give_every_frame_with_its_time(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    first, *others = (PIL.Image.fromarray(frame) for frame in clips.counted(6))
    first.save(
        path, save_all=True, append_images=others, duration=[100, 200, 100, 100, 100, 100], lossless=True
    )
    samples = list(frames(path, every=2))
    assert numbers(samples) == [0, 2, 4]
    assert [sample.time for sample in samples] == pytest.approx([0, 0.3, 0.5])
    assert [brightness(sample) for sample in samples] == pytest.approx([0, 16, 32], abs=3)
    assert numbers(frames(path, start=0.3, stop=0.5)) == [2, 3]


def test_pages_have_a_size_of_their_own_and_no_time(tmp_path: Path) -> None:
    path = tmp_path / "pages.tiff"
    first, second = PIL.Image.new("RGB", (30, 20), "red"), PIL.Image.new("L", (10, 40), 7)
    first.save(path, save_all=True, append_images=[second])
    samples = list(frames(path))
    assert [(sample.size, sample.time) for sample in samples] == [((30, 20), None), ((10, 40), None)]
    assert samples[1].image[0, 0].tolist() == [7, 7, 7]
    with pytest.raises(InputError, match="no time"):
        list(frames(path, fps=2))


def test_a_still_image_is_one_frame(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (30, 20), "red").save(tmp_path / "a.jpg")
    (sample,) = frames(tmp_path / "a.jpg")
    assert sample.image.shape == (20, 30, 3)


def test_a_damaged_animation_ends_with_an_error_after_its_good_frames(tmp_path: Path) -> None:
    path, rng = tmp_path / "a.gif", np.random.default_rng(0)
    first, *others = (PIL.Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)) for _ in range(4))
    first.save(path, save_all=True, append_images=others)
    path.write_bytes(path.read_bytes()[: int(0.7 * path.stat().st_size)])
    stream = frames(path)
    next(stream)
    with pytest.raises(ImageError, match=r"a\.gif#00000\d cannot be read: truncated"):
        list(stream)


def test_all_frames_of_a_small_animation_have_a_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.gif"
    first, *others = (PIL.Image.fromarray(frame) for frame in clips.counted(20))
    first.save(path, save_all=True, append_images=others)
    monkeypatch.setattr(images, "MAX_PIXELS", 10 * 64 * 48)
    stream = frames(path)
    assert len(list(islice(stream, 10))) == 10
    with pytest.raises(ImageError, match="too many pixels in the frames"):
        next(stream)


def test_a_time_that_is_none_is_damage(tmp_path: Path, clip: Path) -> None:
    from handprep.prepared.container import DamagedError
    from handprep.prepared.record import Record

    record = Record.of(next(frames(clip)))
    odd = Record(origin=record.origin, plain={**json.loads(json.dumps(record.plain)), "time": []})
    with pytest.raises(DamagedError):
        odd.sample(b"")


@pytest.mark.parametrize("ending", ["avi", "mkv", "webm", "mp4", "gif", "webp", "png", "tiff"])
def test_any_bytes_give_frames_or_an_image_error(tmp_path: Path, ending: str) -> None:
    path, rng = tmp_path / f"a.{ending}", np.random.default_rng(7)
    if ending in (codecs := {"avi": "MJPG", "mkv": "FFV1", "webm": "VP80", "mp4": "mp4v"}):
        clips.write(path, clips.counted(6), codecs[ending])
    else:
        first, *others = (PIL.Image.fromarray(frame) for frame in clips.counted(6))
        first.save(path, save_all=True, append_images=others)
    good = path.read_bytes()
    for _ in range(8):
        bad = np.frombuffer(good, np.uint8).copy()
        bad[rng.integers(0, min(300, len(bad)), 4)] = rng.integers(0, 256, 4)
        bad[rng.integers(0, len(bad), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(bad.tobytes()[: rng.integers(len(bad) // 2, len(bad) + 1)])
        with suppress(ImageError):
            assert all(sample.image.ndim == 3 for sample in islice(frames(path), 100))
