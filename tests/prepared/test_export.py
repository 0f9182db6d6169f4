"""Landmarks, boxes and masks for other programs, read by these."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import handprep
from handprep import BackgroundRemover, Greyscale, HandCropper, Pipeline, ResizePad, export
from handprep.cli import main
from handprep.errors import InputError
from handprep.landmarks import CONNECTIONS, LANDMARK_NAMES
from handprep.prepared.record import Record
from tests import clips
from tests.prepared.folders import HANDS, RESIZE, copied, picture
from tests.rendered import photos

TURN = PIL.Image.Transpose
TURNS = {3: TURN.ROTATE_180, 6: TURN.ROTATE_90, 8: TURN.ROTATE_270}  # what the EXIF orientations undo
TRUTH = {hand.path.stem: hand for hand in photos()}
PIPELINE = Pipeline(
    [HandCropper(search=False, upright=True, mirror="right"), BackgroundRemover(), ResizePad(96), Greyscale()]
)


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of rendered hands with known truth, some of them stored turned, with an EXIF orientation."""
    src = copied(tmp_path_factory.mktemp("export") / "photos")
    for path, orientation in zip(sorted(src.rglob("*.jpg")), [1, 3, 6, 8] * 9, strict=False):
        if orientation in TURNS:
            exif = PIL.Image.Exif()
            exif[0x0112] = orientation
            with PIL.Image.open(path) as photo:
                photo.transpose(TURNS[orientation]).save(path, quality=95, exif=exif)
    picture(src / "near" / "rock" / "wall.png")
    return src


@pytest.fixture(scope="module")
def prepared(src: Path) -> Path:
    handprep.prepare(src, src.parent / "prepared", PIPELINE)
    return src.parent / "prepared"


def assert_true(points: np.ndarray, name: str) -> None:
    """Compare with the truth: the networks' landmarks are up to 0.19 of the hand's long side off here."""
    hand = TRUTH[Path(name).stem]
    long = np.ptp(hand.landmarks, axis=0).max()
    assert np.abs(points - hand.landmarks).max() < 0.25 * long
    assert np.abs(points - hand.landmarks).mean() < 0.1 * long


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class TestTables:
    def test_a_row_for_each_hand_has_its_landmarks_in_the_photo_and_in_the_image(
        self, prepared: Path, tmp_path: Path
    ) -> None:
        assert export(prepared, tmp_path / "landmarks.csv") == len(HANDS) + 1

        rows = rows_of(tmp_path / "landmarks.csv")
        assert len(rows) == len(HANDS)
        for row in rows:
            sample = handprep.read(prepared / row["output"])
            assert sample.hand is not None
            truth = TRUTH[Path(row["source"]).stem]
            assert (row["class"], row["origin"]) == (truth.label, row["source"].split("/")[0])
            assert (int(row["photo_width"]), int(row["photo_height"])) == truth.size
            assert row["handedness"] == truth.handedness
            for prefix in ("", "prepared_", "world_"):
                points = np.array(
                    [[float(row[f"{prefix}{n}_{axis}"]) for axis in "xyz"] for n in LANDMARK_NAMES]
                )
                if prefix == "":
                    assert_true(points[:, :2], row["source"])
                    box = [float(row[name]) for name in ("x0", "y0", "x1", "y1")]
                    np.testing.assert_allclose(box, [*points[:, :2].min(0), *points[:, :2].max(0)], atol=0.01)
                elif prefix == "prepared_":
                    np.testing.assert_allclose(points[:, :2], sample.hand.landmarks, atol=1e-4)
                    np.testing.assert_allclose(points[:, 2], sample.hand.depth, atol=1e-4)

    def test_pandas_and_pyarrow_read_the_same(self, prepared: Path, tmp_path: Path) -> None:
        pandas = pytest.importorskip("pandas", reason="pandas is not installed")
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
        export(prepared, tmp_path / "landmarks.csv")
        export(prepared, tmp_path / "landmarks.parquet")

        by_csv = pandas.read_csv(tmp_path / "landmarks.csv")
        by_parquet = parquet.read_table(tmp_path / "landmarks.parquet").to_pandas()

        assert list(by_csv.columns) == list(by_parquet.columns)
        assert len(by_csv) == len(HANDS)
        pandas.testing.assert_frame_equal(by_csv, by_parquet, check_dtype=False)
        assert by_csv.filter(like="_x").notna().all(axis=None)

    def test_features_are_further_columns(self, prepared: Path, tmp_path: Path) -> None:
        export(prepared, tmp_path / "hands.csv", features=["normalised", "joint_angles"])

        row = rows_of(tmp_path / "hands.csv")[3]
        hand = handprep.read(prepared / row["output"]).hand
        angles = [float(v) for k, v in row.items() if k.startswith("joint_angles_")]
        np.testing.assert_allclose(angles, handprep.features.joint_angles(hand), atol=1e-6)
        assert float(row["normalised_wrist_x"]) == 0
        with pytest.raises(InputError, match="columns of a table"):
            export(prepared, tmp_path / "coco.json", features="joint_angles")
        with pytest.raises(InputError, match="palm_frame"):
            export(prepared, tmp_path / "hands.csv", features="fingerprints")

    def test_hands_without_landmarks_have_empty_cells(self, tmp_path: Path) -> None:
        hand = handprep.Hand(box=(1, 2, 3, 4), score=0.5)
        sample = handprep.Sample(image=np.zeros((8, 8, 3), np.uint8), hands=(hand,), source="a.jpg")
        (tmp_path / "prepared").mkdir()
        content = Record.of(sample).sealed_into(handprep.images.encode(sample, "png"))
        (tmp_path / "prepared" / "a.png").write_bytes(content)

        for to in ("a.csv", "coco.json", "yolo/"):
            export(tmp_path / "prepared", f"{tmp_path}/{to}", features="palm_frame" if to == "a.csv" else ())

        (row,) = rows_of(tmp_path / "a.csv")
        assert (row["x1"], row["wrist_x"], row["world_wrist_x"]) == ("3.0", "", "")
        assert row["palm_frame_wrist_x"] == ""


class TestCoco:
    @pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools'
    @pytest.mark.parametrize("space", ["photo", "prepared"])
    def test_pycocotools_reads_key_points_skeleton_and_masks(
        self, space: str, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        coco_reader = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
        export(prepared, tmp_path / "coco.json", space=space)

        coco = coco_reader.COCO(str(tmp_path / "coco.json"))

        assert sorted(c["name"] for c in coco.cats.values()) == ["paper", "rock", "scissors"]
        assert len(coco.getImgIds()) == len(HANDS) + 1
        assert len(coco.getAnnIds()) == len(HANDS)
        for annotation in coco.loadAnns(coco.getAnnIds()):
            (image,) = coco.loadImgs(annotation["image_id"])
            points = np.array(annotation["keypoints"]).reshape(21, 3)
            assert (points[:, 2] == 2).all()
            if space == "photo":
                assert_true(points[:, :2], image["file_name"])
                assert_overlaps_truth(coco.annToMask(annotation), image["file_name"])
            else:
                expected = handprep.read(prepared / image["file_name"])
                np.testing.assert_allclose(points[:, :2], expected.hand.landmarks, atol=1e-4)
                assert coco.annToMask(annotation).shape == expected.image.shape
        category = coco.loadCats(1)[0]
        assert len(category["keypoints"]) == 21
        assert [(a - 1, b - 1) for a, b in category["skeleton"]] == [tuple(map(int, c)) for c in CONNECTIONS]

    def test_supervision_reads_it(self, src: Path, prepared: Path, tmp_path: Path) -> None:
        supervision = pytest.importorskip("supervision", reason="supervision is not installed")
        export(prepared, tmp_path / "coco.json")

        dataset = supervision.DetectionDataset.from_coco(str(src), str(tmp_path / "coco.json"))

        assert dataset.classes == ["paper", "rock", "scissors"]
        assert sum(len(detections) for _, _, detections in dataset) == len(HANDS)


def assert_overlaps_truth(mask: np.ndarray, name: str) -> None:
    """Compare with the true mask within the hand's box; of the forearm, a crop shows a part."""
    hand = TRUTH[Path(name).stem]
    with PIL.Image.open(hand.mask) as file:
        truth = np.asarray(file) > 127
    assert mask.shape == truth.shape
    x0, y0, x1, y1 = (round(number) for number in hand.box)
    mask, truth = mask[y0:y1, x0:x1] > 0, truth[y0:y1, x0:x1]
    # the crop is scaled to 96 pixels and its alpha back again: the worst of these nine has 0.84
    assert (mask & truth).sum() / (mask | truth).sum() > 0.75


class TestYolo:
    @pytest.mark.parametrize("space", ["photo", "prepared"])
    def test_supervision_reads_boxes_and_classes(
        self, space: str, src: Path, prepared: Path, tmp_path: Path
    ) -> None:
        supervision = pytest.importorskip("supervision", reason="supervision is not installed")
        export(prepared, f"{tmp_path}/yolo/", space=space)
        images = tmp_path / "yolo" / "images"
        shutil.copytree(src if space == "photo" else prepared, images)
        flat_images, flat_labels = flattened(images), flattened(tmp_path / "yolo" / "labels")

        dataset = supervision.DetectionDataset.from_yolo(
            str(flat_images), str(flat_labels), str(tmp_path / "yolo" / "data.yaml")
        )

        assert dataset.classes == ["paper", "rock", "scissors"]
        found = {Path(path).name: detections for path, _, detections in dataset}
        assert sum(map(len, found.values())) == len(HANDS)

    def test_the_lines_are_shares_of_the_photo(self, prepared: Path, tmp_path: Path) -> None:
        export(prepared, f"{tmp_path}/yolo/")
        labels = {path.stem: path.read_text() for path in (tmp_path / "yolo" / "labels").rglob("*.txt")}

        assert labels.pop("wall") == ""
        assert len(labels) == len(HANDS)
        for name, text in labels.items():
            numbers = np.array(text.split(), dtype=float)
            assert len(numbers) == 5 + 21 * 3
            assert (numbers[1:5] <= 1).all()
            points = numbers[5:].reshape(21, 3)
            assert_true(points[:, :2] * TRUTH[name].size, name)
        assert "kpt_shape: [21, 3]" in (tmp_path / "yolo" / "data.yaml").read_text()

    def test_frames_of_a_clip_have_names_of_their_own(self, tmp_path: Path) -> None:
        (tmp_path / "photos/rock").mkdir(parents=True)
        clips.write(tmp_path / "photos/rock/a.avi", clips.counted(3))
        handprep.prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE)
        export(tmp_path / "prepared", f"{tmp_path}/yolo/")
        labels = sorted(path.name for path in (tmp_path / "yolo/labels/rock").iterdir())
        assert labels == [f"a.avi#{n:06d}.txt" for n in range(3)]
        export(tmp_path / "prepared", tmp_path / "coco.json")
        told = json.loads((tmp_path / "coco.json").read_text())["images"]
        assert [(image["file_name"], image["width"], image["height"]) for image in told] == [
            (f"rock/a.avi#{n:06d}.png", 64, 48) for n in range(3)
        ]

    def test_photos_of_one_stem_are_refused(self, tmp_path: Path) -> None:
        picture(tmp_path / "photos/a.png")
        picture(tmp_path / "photos/a.bmp")
        handprep.prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE)
        with pytest.raises(InputError, match=r"two photos would share the labels labels/a\.txt"):
            export(tmp_path / "prepared", f"{tmp_path}/yolo/")
        assert export(tmp_path / "prepared", f"{tmp_path}/other/", space="prepared") == 2


def flattened(folder: Path) -> Path:
    """Copy all files into one folder, as supervision looks into no sub-folders."""
    flat = folder.with_name(f"flat-{folder.name}")
    flat.mkdir()
    for path in folder.rglob("*.*"):
        if path.suffix in (".jpg", ".png", ".txt"):
            shutil.copy(path, flat / path.name)
    return flat


class TestMasks:
    def test_they_are_of_the_whole_photo(self, prepared: Path, tmp_path: Path) -> None:
        export(prepared, tmp_path / "masks")

        masks = sorted((tmp_path / "masks").rglob("*.png"))
        assert len(masks) == len(HANDS)
        for path in masks:
            with PIL.Image.open(path) as mask:
                assert mask.mode == "L"
                assert_overlaps_truth(np.asarray(mask) > 127, path.name)


def test_hugging_face_datasets_reads_the_prepared_folder(prepared: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    flat = tmp_path / "flat"
    for path in prepared.rglob("*.png"):
        (flat / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, flat / path.parent.name)

    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(flat), split="train", cache_dir=str(tmp_path / "cache")
    )

    assert loaded.features["label"].names == ["paper", "rock", "scissors"]
    assert {item["image"].size for item in loaded} == {(96, 96)}


class TestRefusals:
    def test_wrong_arguments(self, prepared: Path, tmp_path: Path) -> None:
        for wrong, match in (
            ({"to": "a.txt"}, "ends in none of .csv, .parquet, .json"),
            ({"to": "a.csv", "space": "world"}, "space must be one of 'photo', 'prepared'"),
            ({"to": "a.csv", "class_level": 0}, "class_level must be"),
            ({"to": "a.csv", "prepared": tmp_path / "gone"}, "gone is no folder"),
        ):
            given: dict[str, Any] = {"prepared": prepared, **wrong}
            with pytest.raises(InputError, match=match):
                export(**given)

    def test_images_without_records(self, src: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"no image in .*photos carries a record"):
            export(src, tmp_path / "a.csv")

    @pytest.mark.parametrize("source", ["../victim.jpg", "/tmp/victim.jpg", "a/../../victim.jpg", "a\0.jpg"])
    def test_a_forged_name_of_a_photo_is_written_to_nowhere(
        self, source: str, prepared: Path, tmp_path: Path
    ) -> None:
        path = min(prepared.rglob("*.png"))
        record = Record.read(path.read_bytes())
        forged = replace(record, origin=replace(record.origin, source=source))
        (tmp_path / "prepared").mkdir()
        (tmp_path / "prepared" / path.name).write_bytes(
            forged.sealed_into(handprep.images.encode(record.sample(path.read_bytes()), "png"))
        )
        with pytest.raises(InputError, match="carries a record"):
            export(tmp_path / "prepared", f"{tmp_path}/yolo/")


def test_the_command(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(prepared), "--to", f"{tmp_path}/coco.json", "--space", "prepared"]) == 0
    assert capsys.readouterr().out == f"images: {len(HANDS) + 1}\nwritten: {tmp_path}/coco.json\n"
    assert len(json.loads((tmp_path / "coco.json").read_text())["annotations"]) == len(HANDS)
    assert main(["export", str(prepared), "--to", f"{tmp_path}/coco.txt"]) == 2
    table = f"{tmp_path}/hands.csv"
    assert main(["export", str(prepared), "--to", table, "--features", "palm_frame", "joint_angles"]) == 0
    assert len(rows_of(Path(table))[0]) == len(rows_of(Path(table))[1]) == 15 + 3 * 63 + 63 + 28


class TestDrawings:
    def test_landmarks_of_hands_turned_in_space_are_no_landmarks_of_the_photo(
        self, src: Path, tmp_path: Path
    ) -> None:
        photo = next(path for path in sorted(src.rglob("*.jpg")) if TRUTH[path.stem].handedness == "Left")
        folder = tmp_path / "photos" / "hand"
        folder.mkdir(parents=True)
        shutil.copy(photo, folder)
        drawn = Pipeline([HandCropper(), handprep.Skeleton(view="palm")])
        result = handprep.prepare(tmp_path / "photos", tmp_path / "drawn", drawn)
        assert result.detection.photos

        with (tmp_path / "drawn" / "manifest.csv").open(encoding="utf-8", newline="") as file:
            assert [row["handedness"] for row in csv.DictReader(file)] == ["Left"]  # as in the photo
        with pytest.raises(InputError, match="space='prepared'"):
            export(tmp_path / "drawn", tmp_path / "landmarks.csv")
        export(tmp_path / "drawn", tmp_path / "coco.json", space="prepared")

    def test_the_origin_is_that_of_the_manifest(self, src: Path, tmp_path: Path) -> None:
        flat = tmp_path / "flat" / "rock"
        flat.mkdir(parents=True)
        shutil.copy(next(src.rglob("rock*.jpg")), flat)
        handprep.prepare(tmp_path / "flat", tmp_path / "elsewhere", PIPELINE)
        export(tmp_path / "elsewhere", tmp_path / "landmarks.csv")
        assert rows_of(tmp_path / "landmarks.csv")[0]["origin"] == "flat"
