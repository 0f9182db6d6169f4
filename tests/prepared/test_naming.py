"""The names of the outputs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handprep.prepared.listing import names_of_outputs, output_names, same_name


def test_photos_that_would_share_a_name_keep_their_endings() -> None:
    assert output_names(["a.jpg", "a.png", "b.jpg"], ".png") == {
        "a.jpg": "a.jpg.png",
        "a.png": "a.png.png",
        "b.jpg": "b.png",
    }


def test_a_photo_gives_way_to_another_that_keeps_its_ending() -> None:
    assert output_names(["a.jpg", "a.png", "a.jpg.webp"], ".png") == {
        "a.jpg": "a.jpg.png",
        "a.jpg.webp": "a.jpg.webp.png",
        "a.png": "a.png.png",
    }


def test_names_that_differ_in_case_alone_get_numbers() -> None:
    assert output_names(["A.JPG", "a.jpg", "a.Jpg"], ".png") == {
        "A.JPG": "A.JPG.png",
        "a.Jpg": "a.Jpg-2.png",
        "a.jpg": "a.jpg-3.png",
    }


def test_a_photo_does_not_get_the_name_of_a_folder() -> None:
    assert output_names(["a.jpg", "a.png/b.jpg"], ".png") == {
        "a.jpg": "a.jpg.png",
        "a.png/b.jpg": "a.png/b.png",
    }


def test_an_animation_has_a_folder_that_no_image_was_named_as() -> None:
    clips = {"a.mp4", "a.gif", "a.PNG", "a.webp"}
    assert set(names_of_outputs(clips, clips, ".png").values()) == {
        "a.mp4/000000.png",
        "a.gif/000000.png",
        "a.PNG.frames/000000.png",
        "a.webp.frames/000000.png",
    }


names = st.text("aAbß.-2", min_size=1, max_size=4).filter(lambda name: name.strip("."))
sources = st.builds("/".join, st.lists(names, min_size=1, max_size=3)).map(
    lambda path: f"{path}.jpg" if len(path) % 2 else f"{path}.png"
)


@given(st.sets(sources, max_size=12))
def test_no_two_outputs_and_no_output_and_folder_share_a_name(photos: set[str]) -> None:
    outputs = output_names(photos, ".png")

    keys = [same_name(name) for name in outputs.values()]
    folders = {same_name(name.rpartition("/")[0]) for name in photos if "/" in name}
    assert set(outputs) == photos
    assert len(set(keys)) == len(keys)
    assert not folders & set(keys)
    assert all(name.rpartition("/")[0] == photo.rpartition("/")[0] for photo, name in outputs.items())


@given(st.lists(sources, unique=True, max_size=8), st.randoms())
def test_names_do_not_depend_on_the_order_of_the_photos(photos: list[str], random: object) -> None:
    shuffled = list(photos)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert output_names(shuffled, ".png") == output_names(photos, ".png")
