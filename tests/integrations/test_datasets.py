"""The recipe for Hugging Face datasets keeps its word; it is taken from its page."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from handprep import BackgroundRemover, Greyscale, HandCropper, Pipeline, ResizePad
from handprep.errors import ImageError
from tests.rendered import photos
from tests.test_docs import blocks_of

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything here is local; this makes sure of it
datasets = pytest.importorskip("datasets", reason="needs datasets, which is optional")

from datasets import Array2D, ClassLabel, Dataset, Features, Image, Value  # noqa: E402
from datasets.fingerprint import Hasher  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "huggingface-datasets.md"
PHOTOS = photos()[:6]
PIPELINE = Pipeline([HandCropper(), ResizePad(64), Greyscale()])
CLASSES = ClassLabel(names=["paper", "rock", "scissors"])
GIVEN = Features({"image": Image(decode=False), "label": CLASSES, "id": Value("int32")})
FOUND = {"handedness": Value("string"), "landmarks": Array2D((21, 2), "float32")}
BROKEN = b"\xff\xd8\xff\xe0 no more of a JPEG than its beginning"


def functions_of(page: Path) -> dict[str, Any]:
    """Return what the page imports and defines, without running the rest of it."""
    code = "\n".join(block.text for block in blocks_of(page) if block.language == "python")
    kept = [node for node in ast.parse(code).body if isinstance(node, ast.ImportFrom | ast.FunctionDef)]
    namespace: dict[str, Any] = {"__name__": "recipe", "pipeline": PIPELINE}
    exec(compile(ast.Module(kept, []), page, "exec"), namespace)
    return namespace


RECIPE = functions_of(PAGE)


def dataset_of(pictures: list[Any], kind: str = "path") -> Any:
    """Return a dataset as a hub has it (bytes) or a folder (paths), with a label and a number."""
    if kind == "bytes":
        pictures = [
            {
                "bytes": picture if isinstance(picture, bytes) else Path(picture).read_bytes(),
                "path": f"{number}.jpg",
            }
            for number, picture in enumerate(pictures)
        ]
    rows = {
        "image": [picture if isinstance(picture, dict) else str(picture) for picture in pictures],
        "label": [number % 3 for number in range(len(pictures))],
        "id": [100 + number for number in range(len(pictures))],
    }
    return Dataset.from_dict(rows, features=GIVEN)


def prepared(given: Any, pipeline: Pipeline = PIPELINE, made_by: str | None = None, **options: Any) -> Any:
    return given.map(
        RECIPE["prepare"],
        batched=True,
        fn_kwargs={"pipeline": pipeline, "made_by": made_by or pipeline.fingerprint()},
        features=Features(given.features | {"image": Image()} | FOUND),
        **options,
    )


PATHS = [photo.path for photo in PHOTOS]


@pytest.fixture(scope="module")
def expected() -> Any:
    return [PIPELINE.run(path) for path in PATHS]


def assert_as(expected: Any, rows: Any) -> None:
    assert len(rows) == len(expected)
    for sample, row in zip(expected, rows, strict=True):
        np.testing.assert_array_equal(np.asarray(row["image"]), sample.image)
        np.testing.assert_array_equal(np.array(row["landmarks"], np.float32), sample.hand.landmarks)
        assert row["handedness"] == sample.hand.handedness


@pytest.mark.parametrize("kind", ["path", "bytes"])
def test_rows_are_what_the_pipeline_gives(kind, expected):
    result = prepared(dataset_of(PATHS, kind))
    assert_as(expected, result)
    assert result["id"][:] == [100, 101, 102, 103, 104, 105]
    assert result.features["label"] == CLASSES
    assert result[0]["image"].format == "PNG"
    assert result.data.table.column("image")[0].as_py()["bytes"].startswith(b"\x89PNG")


def test_batches_are_as_good_as_one(expected):
    assert_as(expected, prepared(dataset_of(PATHS), batch_size=4))


def test_it_works_on_a_folder_of_classes(tmp_path, expected):
    for photo in PHOTOS:
        (tmp_path / "photos" / photo.label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / photo.label / photo.path.name).write_bytes(photo.path.read_bytes())
    given = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "photos"), split="train", cache_dir=str(tmp_path / "cache")
    ).cast_column("image", Image(decode=False))
    result = given.map(
        RECIPE["prepare"],
        batched=True,
        fn_kwargs={"pipeline": PIPELINE, "made_by": ""},
        features=Features(given.features | {"image": Image()} | FOUND),
    )
    by_name = sorted(range(len(PHOTOS)), key=lambda n: (PHOTOS[n].label, PHOTOS[n].path.name))
    assert_as([expected[n] for n in by_name], result)
    names = result.features["label"].names
    assert [names[label] for label in result["label"]] == sorted(photo.label for photo in PHOTOS)


@pytest.mark.parametrize("kind", ["path", "bytes"])
def test_a_broken_photo_is_left_out_with_its_row_and_named(kind, tmp_path, expected, caplog):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(BROKEN)
    result = prepared(dataset_of([*PATHS[:3], broken, *PATHS[3:]], kind))
    assert_as(expected, result)
    assert result["id"][:] == [100, 101, 102, 104, 105, 106]
    assert result["label"][:] == [0, 1, 2, 1, 2, 0]
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("handprep.pipeline", "WARNING")
    assert record.getMessage().startswith("left out image 3: ")
    assert ("broken.jpg" in record.getMessage()) == (kind == "path")


def test_a_photo_without_a_hand_is_left_out_if_it_is_to_be_skipped(tmp_path):
    PIL.Image.new("RGB", (200, 200), "green").save(tmp_path / "none.png")
    given = dataset_of([tmp_path / "none.png", PATHS[0]])
    skipping = Pipeline([HandCropper(on_missing="skip"), ResizePad(64)])
    assert prepared(given, skipping)["id"][:] == [101]
    kept = prepared(given)
    assert kept["id"][:] == [100, 101]
    assert (kept[0]["landmarks"], kept[0]["handedness"]) == (None, None)


def test_a_batch_may_come_to_nothing(tmp_path, caplog):
    given = dataset_of([BROKEN, BROKEN, PATHS[0]], "bytes")
    assert prepared(given, batch_size=2)["id"][:] == [102]
    assert len(caplog.records) == 2


def test_an_error_that_is_not_skipped_comes_out_as_it_is():
    def strict(batch: Any) -> Any:
        return {
            "width": [sample.size[0] for sample in PIPELINE.map(image["bytes"] for image in batch["image"])]
        }

    with pytest.raises(ImageError) as caught:
        dataset_of([PATHS[0], BROKEN], "bytes").map(strict, batched=True)
    assert "image 1" in "".join(caught.value.__notes__)


def test_transparent_pictures_keep_their_alpha():
    see_through = Pipeline([HandCropper(), BackgroundRemover(background="transparent"), ResizePad(64)])
    image = prepared(dataset_of(PATHS[:1]), see_through)[0]["image"]
    np.testing.assert_array_equal(np.asarray(image), see_through(PATHS[0]))
    assert image.mode == "RGBA"


def test_processes_give_what_one_gives(expected):
    """Models are open in this process already, and in those that are forked from it they are opened anew."""
    assert_as(expected, prepared(dataset_of(PATHS), num_proc=2))


def test_with_transform_takes_and_gives_pil(expected):
    given = dataset_of(PATHS).cast_column("image", Image()).with_transform(RECIPE["crop"])
    for number, sample in enumerate(expected):
        np.testing.assert_array_equal(np.asarray(given[number]["image"]), sample.image)
    assert [image.size for image in given[:2]["image"]] == [(64, 64), (64, 64)]
    assert given[2]["id"] == 102


def test_prepared_pictures_come_as_tensors():
    torch = pytest.importorskip("torch", reason="needs torch, which is optional")
    rows = prepared(dataset_of(PATHS)).with_format("torch")
    loader = torch.utils.data.DataLoader(rows, batch_size=3)
    assert [tuple(batch["image"].shape) for batch in loader] == [(3, 1, 64, 64), (3, 1, 64, 64)]


class TestReuse:
    """What `datasets` takes for the same work as before."""

    @pytest.fixture
    def on_disk(self, tmp_path: Path) -> Any:
        dataset_of(PATHS[:2]).save_to_disk(tmp_path / "given")
        return datasets.load_from_disk(str(tmp_path / "given"))

    def test_the_same_pipeline_is_not_run_again(self, on_disk, monkeypatch):
        first = prepared(on_disk)
        monkeypatch.setattr(Pipeline, "map_indexed", None)  # whoever calls it fails
        again = prepared(on_disk, Pipeline.from_json(PIPELINE.to_json()))
        assert again.cache_files == first.cache_files
        np.testing.assert_array_equal(np.asarray(again[1]["image"]), np.asarray(first[1]["image"]))

    @pytest.mark.parametrize(
        "pipeline",
        [
            Pipeline([HandCropper(), ResizePad(65), Greyscale()]),
            Pipeline([HandCropper(margin=0.3), ResizePad(64), Greyscale()]),
            Pipeline([HandCropper(), ResizePad(64)]),
        ],
    )
    def test_another_pipeline_is_run(self, pipeline, on_disk):
        assert Hasher.hash(pipeline) != Hasher.hash(PIPELINE)
        assert prepared(on_disk, pipeline).cache_files != prepared(on_disk).cache_files

    def test_another_version_or_model_file_is_run(self, on_disk):
        fingerprint = PIPELINE.fingerprint()  # which changes with these: tests/test_pipeline.py
        assert prepared(on_disk, made_by=fingerprint).cache_files == prepared(on_disk).cache_files
        assert prepared(on_disk, made_by="0" * 64).cache_files != prepared(on_disk).cache_files

    def test_a_pipeline_that_was_used_is_still_the_same(self):
        before = Hasher.hash(Pipeline([HandCropper(), ResizePad(64)]))
        used = Pipeline([HandCropper(), ResizePad(64)])
        used.run(PATHS[0])
        assert Hasher.hash(used) == before

    def test_another_process_finds_the_results_of_the_first(self, on_disk, tmp_path):
        prepared(on_disk)
        code = """
            import sys
            sys.path.insert(0, sys.argv[1])
            import datasets
            from tests.integrations import test_datasets as here
            folder = here.Path(sys.argv[2])
            before = set(folder.rglob("*"))
            result = here.prepared(datasets.load_from_disk(sys.argv[2]))
            print(here.Hasher.hash(here.PIPELINE), len(result), set(folder.rglob("*")) - before)
        """
        said = [
            subprocess.run(
                [sys.executable, "-c", textwrap.dedent(code), str(PAGE.parents[2]), str(tmp_path / "given")],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for seed in ("1", "2")
        ]
        assert said == [f"{Hasher.hash(PIPELINE)} 2 set()"] * 2


def test_files_are_decoded_at_a_reduced_size_and_opened_pictures_are_not():
    large = io.BytesIO()
    with PIL.Image.open(PATHS[0]) as photo:
        photo.resize((4800, 3600)).save(large, "JPEG")
    given = dataset_of([large.getvalue()], "bytes")
    seen = []
    resize = Pipeline([ResizePad(64)])

    def sizes(batch: Any) -> Any:
        for image in batch["image"]:
            picture = image if isinstance(image, PIL.Image.Image) else image["bytes"]
            seen.append(resize.run(picture).steps[0].details["scale"])
        return {}

    given.map(sizes, batched=True)
    given.cast_column("image", Image()).map(sizes, batched=True)
    assert seen == [64 / 1200, 64 / 4800]
