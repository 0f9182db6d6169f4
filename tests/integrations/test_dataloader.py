"""handprep in the workers of torch's DataLoader: every start method, the same results."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from handprep import BackgroundRemover, Greyscale, HandCropper, Pipeline, ResizePad
from tests.rendered import photos

torch = pytest.importorskip("torch", reason="needs torch, which is optional")

PATHS = [photo.path for photo in photos()[:12]]
PIPELINE = Pipeline([HandCropper(), BackgroundRemover(), ResizePad(64), Greyscale()])


class Photos(torch.utils.data.Dataset[Any]):
    """What people write: a list of files, opened with Pillow, and a transform."""

    def __init__(self, paths: list[Path], transform: Any) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        with PIL.Image.open(self.paths[index]) as photo:
            pixels = self.transform(photo).tobytes()
        return torch.frombuffer(bytearray(pixels), dtype=torch.uint8).reshape(64, 64)


@pytest.fixture(scope="module")
def expected() -> Any:
    """Compute it here, in a thread too, so that models are open in the process that is forked."""
    dataset = Photos(PATHS, PIPELINE)
    with ThreadPoolExecutor(1) as pool:
        return torch.stack(list(pool.map(dataset.__getitem__, range(len(dataset)))))


@pytest.mark.parametrize(
    ("workers", "start"),
    [(0, None), (1, "fork"), (2, "fork"), (4, "fork"), (2, "spawn"), (2, "forkserver")],
)
# torch warns where there are more workers than cores, and Python (3.12) of every fork of a process that has
# threads; that both work is what is tested
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_all_workers_give_what_the_main_process_gives(workers: int, start: str | None, expected: Any) -> None:
    loader = torch.utils.data.DataLoader(
        Photos(PATHS, PIPELINE),
        batch_size=5,
        num_workers=workers,
        multiprocessing_context=start,
        persistent_workers=workers > 0,
        timeout=120 if workers else 0,
    )
    for _ in range(2):  # epochs: the second goes to the same workers
        assert torch.equal(torch.cat(list(loader)), expected)


def test_a_broken_photo_is_named_from_within_a_worker(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(PATHS[0].read_bytes()[:2000])

    loader = torch.utils.data.DataLoader(Paths([PATHS[0], broken], PIPELINE), num_workers=1, batch_size=2)
    with pytest.raises(Exception, match=r"broken\.jpg"):
        list(loader)


class Paths(Photos):
    """The same, but handprep reads the files."""

    def __getitem__(self, index: int) -> Any:
        return torch.from_numpy(self.transform(self.paths[index]))
