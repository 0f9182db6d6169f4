"""rembg opens the file that handprep checked, and asks nobody else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from handprep import models
from handprep.errors import InputError, ModelError
from handprep.segmentation.rembg import rembg_session
from tests.segmentation.cases import needs_rembg_that_trusts_its_files


@pytest.fixture
def no_rembg_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give rembg an empty home, so that it finds nothing of its own."""
    monkeypatch.delenv("U2NET_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("REMBG_HOME", str(tmp_path / "rembg"))
    return tmp_path


def test_a_known_model_is_opened_from_the_checked_file(no_rembg_home: Path) -> None:
    session = rembg_session("u2netp")
    picture = np.full((96, 128, 3), 40, np.uint8)
    picture[30:70, 40:90] = (220, 180, 150)
    (mask,) = session.predict(Image.fromarray(picture))
    alpha = np.asarray(mask)
    assert alpha.shape == (96, 128)
    assert alpha[50, 65] > 200  # the bright block is the salient object
    assert alpha[5, 5] < 50
    assert not list(no_rembg_home.rglob("*.onnx"))  # rembg downloaded nothing
    assert Path(session.download_models()) == models.fetch("u2netp")


def test_a_model_is_opened_with_the_given_options() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 3
    opened = rembg_session("u2netp", options).inner_session.get_session_options()
    assert opened.intra_op_num_threads == 3


@needs_rembg_that_trusts_its_files
def test_a_damaged_file_of_rembgs_own_is_an_error(no_rembg_home: Path) -> None:
    folder = no_rembg_home / "rembg" / "models" / "silueta"
    folder.mkdir(parents=True)
    (folder / "silueta.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match="could not open its model 'silueta'"):
        rembg_session("silueta")


@pytest.mark.parametrize("name", ["atlascloud", "withoutbg", "u3net"])
def test_models_elsewhere_and_unknown_ones_are_refused(name: str) -> None:
    with pytest.raises(
        InputError, match=f"rembg has no model '{name}' that runs on this machine; it has .*u2net"
    ):
        rembg_session(name)
