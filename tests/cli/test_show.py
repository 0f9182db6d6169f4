"""``handprep show``."""

from __future__ import annotations

import numpy as np
import PIL.Image
import PIL.ImageShow

from handprep import HandCropper, Pipeline, ResizePad
from handprep.cli import main
from tests.rendered import photos

PHOTO, OTHER = (str(hand.path) for hand in photos()[7:9])


def test_show_writes_the_steps_of_every_photo_and_tells_them(tmp_path, capsys):
    out = tmp_path / "steps.png"
    assert main(["show", PHOTO, OTHER, "--margin", "0.3", "--size", "64", "-o", str(out)]) == 0
    told = capsys.readouterr().out
    assert told.count("HandCropper: ") == 2
    assert "margin 0.3" in told
    pipeline = Pipeline([HandCropper(margin=0.3), ResizePad(64)])
    first, second = (pipeline.explain(photo).to_image() for photo in (PHOTO, OTHER))
    shown = np.asarray(PIL.Image.open(out))
    np.testing.assert_array_equal(shown[: len(first), : first.shape[1]], first)
    np.testing.assert_array_equal(shown[len(first) :, : second.shape[1]], second)


def test_without_a_file_show_opens_a_viewer_or_says_what_to_do(monkeypatch, capsys):
    opened = []

    class Viewer(PIL.ImageShow.Viewer):
        def show(self, image, **options):
            opened.append(image.size)
            return True

    monkeypatch.setattr(PIL.ImageShow, "_viewers", [])
    assert main(["show", PHOTO]) == 1
    assert "save the image to a file" in capsys.readouterr().err
    PIL.ImageShow.register(Viewer())
    assert main(["show", PHOTO]) == 0
    assert len(opened) == 1


def test_a_photo_that_cannot_be_read_keeps_no_other_from_being_shown(tmp_path, capsys):
    out = tmp_path / "steps.png"
    assert main(["show", "nowhere.jpg", PHOTO, "-o", str(out)]) == 1
    assert "nowhere.jpg" in capsys.readouterr().err
    assert out.exists()


def test_the_pipeline_that_looks_right_can_be_saved(tmp_path):
    saved = tmp_path / "pipeline.json"
    main(["show", PHOTO, "--size", "64", "-o", str(tmp_path / "a.png"), "--save-pipeline", str(saved)])
    assert Pipeline.from_json(saved.read_text()) == Pipeline([HandCropper(), ResizePad(64)])
