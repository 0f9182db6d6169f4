"""A folder at a time: what is written, what is told, and what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from filelock import FileLock

from handprep import geometry, prepare
from handprep.errors import InputError, ModelError, OutputError
from handprep.pipeline import Pipeline
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.prepared.counting import Needy
from tests.prepared.folders import CROP, HANDS, RESIZE, copied, manifest, outputs, picture


@pytest.fixture
def src(tmp_path: Path) -> Path:
    return copied(tmp_path / "photos")


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


class TestWhatIsWritten:
    def test_every_photo_becomes_what_the_pipeline_makes_of_it_in_a_mirrored_folder(
        self, src: Path, dst: Path
    ) -> None:
        result = prepare(src, dst, CROP)

        assert len(result.rows) == len(HANDS)
        for row in result.rows:
            assert row.output == str(Path(row.source).with_suffix(".png"))
            with PIL.Image.open(dst / row.output) as written:
                np.testing.assert_array_equal(np.asarray(written), CROP(src / row.source))

    def test_the_manifest_tells_where_the_hand_lies_in_the_photo(self, src: Path, dst: Path) -> None:
        turned = Pipeline([HandCropper(upright=True, mirror="right"), ResizePad(48), Greyscale()])
        prepare(src, dst, turned)

        truth = {hand.path.name: hand for hand in HANDS}
        for row in manifest(dst):
            hand = truth[Path(row["source"]).name]
            box = [float(row[name]) for name in ("x0", "y0", "x1", "y1")]
            true = geometry.enclosing_box(hand.landmarks)
            # the networks' landmarks are up to 0.134 of the hand's long side off, in these nine
            np.testing.assert_allclose(box, true, atol=0.15 * max(true[2] - true[0], true[3] - true[1]))
            assert row["handedness"] == hand.handedness
            assert row["status"] == "done"
            assert 0.1 <= float(row["score"]) <= 1
            assert row["view"]
            assert float(row["milliseconds"]) > 0
            assert row["class"] == hand.label

    def test_the_manifest_is_of_the_full_photo_turned_upright_even_where_less_is_decoded(
        self, tmp_path: Path, dst: Path
    ) -> None:
        plain, large = tmp_path / "photos/plain.jpg", tmp_path / "photos/large.jpg"
        plain.parent.mkdir()
        with PIL.Image.open(HANDS[0].path) as photo:
            photo.save(plain, quality=95)
            exif = PIL.Image.Exif()
            exif[0x0112] = 6  # shown turned by a quarter clockwise
            quarter = photo.transpose(PIL.Image.Transpose.ROTATE_90)
            enlarged = quarter.resize((quarter.width * 8, quarter.height * 8), PIL.Image.Resampling.BICUBIC)
            enlarged.save(large, quality=95, exif=exif)

        big, small = prepare(tmp_path / "photos", dst, CROP).rows

        assert big.box is not None
        assert small.box is not None
        # another size and JPEG of the same photo: landmarks agree to about 2 % of the hand (120 px here)
        np.testing.assert_allclose(np.array(big.box) / 8, small.box, atol=3)

    def test_a_photo_without_a_hand(self, tmp_path: Path, dst: Path) -> None:
        picture(tmp_path / "photos/wall.png")
        for on_missing, status, written in [
            ("keep", "no-hand", True),
            ("center", "no-hand", True),
            ("skip", "skipped", False),
            ("raise", "failed", False),
        ]:
            crop = HandCropper(search=False, on_missing=on_missing)  # type: ignore[arg-type]
            (row,) = prepare(tmp_path / "photos", dst, Pipeline([crop])).rows
            assert row.status == status
            assert row.box is None
            assert bool(row.output) == bool(outputs(dst)) == written
            assert bool(row.message) != written

    def test_the_number_of_workers_changes_nothing(self, src: Path, tmp_path: Path) -> None:
        one, four = tmp_path / "one", tmp_path / "four"
        first, second = prepare(src, one, CROP, workers=1), prepare(src, four, CROP, workers=4)

        assert outputs(one) == outputs(four)
        assert [replace(row, milliseconds=0) for row in first.rows] == [
            replace(row, milliseconds=0) for row in second.rows
        ]

    def test_progress_is_told_after_each_photo(self, src: Path, dst: Path) -> None:
        told: list[tuple[int, int]] = []
        prepare(src, dst, RESIZE, progress=lambda *numbers: told.append(numbers))

        assert told == [(number, 9) for number in range(1, 10)]

    def test_a_progress_bar_is_drawn_only_if_asked_for(
        self, src: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        prepare(src, tmp_path / "one", RESIZE)
        assert capfd.readouterr() == ("", "")

        prepare(src, tmp_path / "two", RESIZE, progress=True)
        out, err = capfd.readouterr()
        assert out == ""
        assert "9/9" in err


class TestWhatIsToBeKnown:
    @pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff"])
    def test_of_an_animation_the_first_frame_is_taken_and_the_message_says_so(
        self, ending: str, tmp_path: Path, dst: Path
    ) -> None:
        (tmp_path / "photos").mkdir()
        frames = [PIL.Image.new("RGB", (20, 20), colour) for colour in ((250, 0, 0), (0, 250, 0))]
        frames[0].save(tmp_path / f"photos/moving.{ending}", save_all=True, append_images=frames[1:])
        frames[0].save(tmp_path / f"photos/still.{ending}")

        for _ in range(2):  # and the next run says it again
            moving, still = prepare(tmp_path / "photos", dst, Pipeline([])).rows
            assert moving.message.startswith("an animation, or a file of several images")
            assert (moving.status, still.message) == ("done", "")
        with PIL.Image.open(dst / moving.output) as written:
            assert np.asarray(written)[9, 9].argmax() == 0

    def test_the_class_may_be_any_folder_on_the_way(self, src: Path, dst: Path) -> None:
        rows = prepare(src, dst, RESIZE, class_level=1).rows
        assert {(row.origin, row.label) for row in rows} == {("photos", "far"), ("photos", "near")}
        with pytest.raises(InputError, match="class_level must be"):
            prepare(src, dst, RESIZE, class_level=0)

    def test_images_and_the_manifest_are_flushed_to_the_disk_before_the_run_ends(
        self, src: Path, dst: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flushed, plain = [], os.fsync

        def fsync(number: int) -> None:
            flushed.append(str(Path(f"/proc/self/fd/{number}").readlink()))
            plain(number)

        monkeypatch.setattr(os, "fsync", fsync)
        prepare(src, dst, RESIZE)

        assert sum(path.endswith(".tmp") for path in flushed) == len(HANDS) + 3  # the tables, too
        folders = {str(path.parent) for path in dst.rglob("*.png")} | {str(dst)}
        assert folders <= set(flushed)
        assert flushed[-1] == str(dst)


class TestFoldersInsideEachOther:
    def test_outputs_inside_of_the_photos_are_not_read_back(self, src: Path) -> None:
        first = prepare(src, src / "prepared", RESIZE)
        second = prepare(src, src / "prepared", RESIZE)

        assert len(first.rows) == len(second.rows) == second.resumed == len(HANDS)

    def test_outputs_of_another_run_inside_of_the_photos_are_left_out_and_named(
        self, src: Path, dst: Path
    ) -> None:
        prepare(src, src / "prepared", RESIZE)
        result = prepare(src, dst, RESIZE)

        assert len(result.rows) == len(HANDS)
        assert result.nested == ("prepared",)
        assert len(prepare(src / "prepared", dst.parent / "again", RESIZE).rows) == len(HANDS)

    def test_outputs_around_the_photos_are_fine_as_long_as_none_lies_among_them(self, src: Path) -> None:
        result = prepare(src, src.parent, RESIZE)

        assert len(result.rows) == len(HANDS)
        assert all((src.parent / row.output).exists() and (src / row.source).exists() for row in result.rows)

    def test_outputs_among_the_photos_are_refused(self, tmp_path: Path) -> None:
        path = picture(tmp_path / "photos/photos/a.png")
        before = path.read_bytes()
        with pytest.raises(InputError, match=r"photos/a\.png would lie among the photos"):
            prepare(tmp_path / "photos", tmp_path, RESIZE)
        assert path.read_bytes() == before

    def test_the_same_folder_is_refused_even_by_another_name(self, src: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("photos")
        for dst in (src, tmp_path / "link", src / "near/.."):
            with pytest.raises(InputError, match="is the folder of photos"):
                prepare(src, dst, RESIZE)

    def test_a_link_out_of_the_outputs_is_refused_before_any_writing(self, src: Path, dst: Path) -> None:
        elsewhere = src.parent / "elsewhere"
        elsewhere.mkdir()
        dst.mkdir()
        (dst / "near").symlink_to(elsewhere)

        with pytest.raises(OutputError, match="prepared/near is a link that could lead out"):
            prepare(src, dst, RESIZE)

        assert not list(elsewhere.iterdir())
        assert not outputs(dst)


class TestRefusals:
    @pytest.mark.parametrize("wrong", [{"format": "gif"}, {"workers": 0}, {"pipeline": ResizePad(8)}])
    def test_wrong_parameters(self, src: Path, dst: Path, wrong: dict[str, object]) -> None:
        with pytest.raises(InputError):
            prepare(**{"src": src, "dst": dst, "pipeline": RESIZE, **wrong})  # type: ignore[arg-type]

    def test_a_folder_without_photos_says_what_was_looked_for(self, tmp_path: Path, dst: Path) -> None:
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos/notes.txt").touch()
        with pytest.raises(InputError, match=r"no photo in .*photos: .* end in jpg, .* and saw 1 others"):
            prepare(tmp_path / "photos", dst, RESIZE)
        assert not dst.exists()

    def test_outputs_into_a_file(self, src: Path, dst: Path) -> None:
        dst.touch()
        with pytest.raises(InputError, match="prepared is a file"):
            prepare(src, dst, RESIZE)

    def test_a_second_run_at_the_same_time(self, src: Path, dst: Path) -> None:
        dst.mkdir()
        with FileLock(dst / ".handprep.lock"), pytest.raises(OutputError, match="another run is writing to"):
            prepare(src, dst, RESIZE)
        assert not outputs(dst)
        prepare(src, dst, RESIZE)

    def test_a_missing_model_is_one_error_and_comes_before_any_photo(self, src: Path, dst: Path) -> None:
        told: list[tuple[int, int]] = []
        with pytest.raises(ModelError, match="no such model here"):
            prepare(src, dst, Pipeline([Needy()]), progress=lambda *numbers: told.append(numbers))
        assert not told
        assert not outputs(dst)
        assert manifest(dst) == []
