"""The notebook runs from its first cell to its last, and shows what it says."""

from __future__ import annotations

import shutil

import pytest

from tests.rendered import RENDERED

nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel, which only this test uses")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("torch")
pytest.importorskip("matplotlib")

EXAMPLES = RENDERED.parent


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's own packages
def test_the_notebook_runs_and_shows_its_images(tmp_path):
    shutil.copy(EXAMPLES / "first_steps.ipynb", tmp_path)
    (tmp_path / "rendered-study").symlink_to(EXAMPLES / "rendered-study")
    notebook = nbformat.read(tmp_path / "first_steps.ipynb", as_version=4)

    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()

    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [output.data for output in outputs if "data" in output]
    assert sum("image/png" in data for data in shown) == 4  # two explanations, a sample, the matrix
    assert sum("<b>HandCropper</b>" in data.get("text/html", "") for data in shown) == 1
    printed = "".join(output.text for output in outputs if output.get("name") == "stdout")
    assert float(printed.split("right: ")[1][:4]) > 0.6  # chance is 0.33; whole photos give 0.35


def test_the_notebook_is_stored_without_outputs():
    notebook = nbformat.read(EXAMPLES / "first_steps.ipynb", as_version=4)
    assert all(
        not cell.outputs and cell.execution_count is None
        for cell in notebook.cells
        if cell.cell_type == "code"
    )
