"""The command line: what it takes, what it says, and how it ends."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import handprep
from handprep import models, prepare
from handprep.cli import main
from handprep.cli.options import add_options, pipeline_of
from handprep.pipeline import Pipeline
from handprep.transforms.background import BackgroundRemover
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from handprep.transforms.skeleton import Skeleton
from tests import clips
from tests.permissions import as_nobody, folder_for_all
from tests.prepared.folders import outputs, picture
from tests.rendered import photos

HANDS = photos()[7:10]  # one of every class, all found at the first look
COMMAND = [sys.executable, "-m", "handprep"]


@pytest.fixture
def src(tmp_path: Path) -> Path:
    for hand in HANDS:
        folder = tmp_path / "photos" / hand.label
        folder.mkdir(parents=True)
        shutil.copy(hand.path, folder)
    return tmp_path / "photos"


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


def run(*arguments: object) -> int:
    return main([*map(str, ("run", *arguments))])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the complaint about wrong usage, which has exit code 2 whoever notices it."""
    try:
        code: object = run(*arguments)
    except SystemExit as stop:  # argparse's way
        code = stop.code
    assert code == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


class TestRun:
    def test_it_prepares_a_folder_as_the_library_does(self, src: Path, dst: Path, tmp_path: Path) -> None:
        assert run(src, dst, "--size", 64, "--grey") == 0

        pipeline = Pipeline([HandCropper(), ResizePad(64), Greyscale()])
        prepare(src, tmp_path / "library", pipeline)
        assert outputs(dst) == outputs(tmp_path / "library")

    def test_it_ends_with_the_detection_table(
        self, src: Path, dst: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run(src, dst, "--size", 64)

        table, told = capsys.readouterr().out.rsplit("\n\n", 1)
        assert [line.split() for line in table.splitlines()] == [
            *(["Photos"], ["origin", "paper", "rock", "scissors", "total"]),
            *(["photos", "1", "1", "1", "3"], ["total", "1", "1", "1", "3"]),
            *([], ["Hands", "found"], ["origin", "paper", "rock", "scissors", "total"]),
            ["photos", *["1", "(100.0", "%)"] * 3, "3", "(100.0", "%)"],
            ["total", *["1", "(100.0", "%)"] * 3, "3", "(100.0", "%)"],
        ]
        assert told == (
            f"photos: 3 (3 done, 0 without a hand, 0 skipped, 0 failed)\nmanifest: {dst}/manifest.csv\n"
            "next: add --report to see every photo beside its result in a browser\n"
            f"next: handprep export {dst} --to landmarks.csv\n"
        )

    def test_a_report_is_written_only_if_asked_for(
        self, src: Path, dst: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(src, dst, "--no-crop", "--size", 64) == 0
        assert "\nreport: " not in capsys.readouterr().out
        assert not (dst / "report.html").exists()

        assert run(src, dst, "--no-crop", "--size", 64, "--report") == 0
        told = capsys.readouterr().out
        assert f"manifest: {dst}/manifest.csv\nreport: {dst}/report.html (" in told
        assert "add --report" not in told
        assert (dst / "report.html").read_bytes().startswith(b"<!doctype html>")

    def test_it_says_what_it_left_alone(
        self, src: Path, dst: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run(src, dst, "--size", 64)
        (src / "notes.txt").touch()
        (src / "paper" / HANDS[0].path.name).unlink()
        capsys.readouterr()

        assert run(src, dst, "--size", 64) == 0

        out = capsys.readouterr().out
        assert "\nalready done: 2\n" in out
        assert "\nother files, ignored: 1\n" in out
        assert f"outputs of photos that are gone, left: 1 (paper/{HANDS[0].path.stem}.png)\n" in out

    def test_failed_photos_are_listed_and_the_others_done(
        self, src: Path, dst: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for number in range(22):
            (src / f"bad{number:02}.jpg").write_text("no picture")

        assert run(src, dst, "--size", 64, "--quiet") == 1

        out, err = capsys.readouterr()
        assert out == ""
        lines = err.splitlines()
        assert lines[0].startswith("failed: bad00.jpg: ")
        assert lines[20:] == ["and 2 more: see manifest.csv"]
        assert len(outputs(dst)) == 3

    def test_a_folder_that_cannot_be_read_is_listed_and_the_others_done(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with folder_for_all() as folder:
            picture(folder / "photos/open/a.png")
            picture(folder / "photos/closed/b.png")
            (folder / "photos/closed").chmod(0)
            (folder / "prepared").mkdir()
            (folder / "prepared").chmod(0o777)
            with as_nobody():
                code = run(folder / "photos", folder / "prepared", "--no-crop", "--quiet")
            (folder / "photos/closed").chmod(0o755)
            done = set(outputs(folder / "prepared"))

        assert code == 1
        assert done == {"open/a.png"}
        assert "photos/closed cannot be read: Permission denied" in capsys.readouterr().err

    def test_a_quiet_run_says_nothing(self, src: Path, dst: Path, capfd: pytest.CaptureFixture[str]) -> None:
        assert run(src, dst, "--no-crop", "--size", 64, "--quiet") == 0
        assert capfd.readouterr() == ("", "")

    def test_a_missing_model_is_one_error(
        self,
        src: Path,
        dst: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv(models.HOME_VARIABLE, str(tmp_path / "empty"))
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        for name in ("https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")  # where nobody listens

        assert run(src, dst, "--quiet") == 1

        err = capsys.readouterr().err
        assert err.count("no source gave the model file") == 1
        assert "failed: " not in err

    def test_a_folder_that_cannot_be_written_is_one_error(
        self, src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").touch()

        assert run(src, tmp_path / "file/prepared", "--quiet") == 1
        assert "what should be its folder is a file" in capsys.readouterr().err


class TestOnePhoto:
    def test_a_file_becomes_a_file_that_carries_its_hand(self, tmp_path: Path) -> None:
        for ending in ("png", "jpg", "webp"):
            assert run(HANDS[0].path, tmp_path / f"out.{ending}", "--size", 64) == 0
            sample = handprep.read(tmp_path / f"out.{ending}")
            assert sample.size == (64, 64)
            assert sample.hand is not None
            assert sample.source == HANDS[0].path.name
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jpg", "out.png", "out.webp"]

    def test_a_name_that_says_another_format_is_refused(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        dst = tmp_path / "one.jpg"
        assert run(HANDS[0].path, dst, "--format", "png") == 2
        assert "one.jpg is no name for --format png" in capfd.readouterr().err
        assert not dst.exists()
        assert run(HANDS[0].path, dst, "--format", "jpeg", "--no-crop") == 0

    def test_clips_are_counted(self, src: Path, dst: Path, capfd: pytest.CaptureFixture[str]) -> None:
        clips.write(src / HANDS[0].label / "clip.avi", clips.counted(6))
        assert run(src, dst, "--no-crop", "--size", 16, "--every", 2) == 0
        assert "of these, frames of clips: 3 (clips: 1)" in capfd.readouterr().out

    def test_streams(self, tmp_path: Path) -> None:
        command = [*COMMAND, "run", "-", "-", "--size", "64", "--no-record", "--format", "png"]
        done = subprocess.run(command, input=HANDS[0].path.read_bytes(), capture_output=True, check=True)

        expected = Pipeline([HandCropper(), ResizePad(64)]).run(HANDS[0].path)
        assert done.stdout == handprep.images.encode(expected, "png")

    def test_what_cannot_be_prepared_is_an_error(
        self, src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "text.jpg").write_text("no picture")
        assert run(tmp_path / "text.jpg", tmp_path / "out.png", "--no-crop") == 1
        assert "text.jpg cannot be read: no known kind" in capsys.readouterr().err
        assert "is one photo: give a file for it" in refused(capsys, HANDS[0].path, src)
        assert "needs a folder for the outputs" in refused(capsys, src, "-")
        assert "out.gif ends in none of .png" in refused(capsys, HANDS[0].path, tmp_path / "out.gif")
        assert not (tmp_path / "out.png").exists()


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "pipeline"),
        [
            ("", [HandCropper(), ResizePad(300)]),
            ("--size 48x64", [HandCropper(), ResizePad((48, 64))]),
            ("--no-resize --gray", [HandCropper(), Greyscale()]),
            ("--skeleton palm --size 64", [HandCropper(), Skeleton(view="palm", size=64)]),
            ("--skeleton image --no-crop", [Skeleton(view="image", size=300)]),
            ("--no-crop", [ResizePad(300)]),
            ("--remove-background", [HandCropper(), BackgroundRemover(), ResizePad(300)]),
            (
                "--remove-background --method fast --background white --on-missing skip",
                [
                    HandCropper(on_missing="skip"),
                    BackgroundRemover(method="fast", background=(255, 255, 255)),
                    ResizePad(300, fill=(255, 255, 255)),  # no black bars beside it
                ],
            ),
            (
                "--no-crop --remove-background --background transparent --detector litert --on-missing skip",
                [
                    BackgroundRemover(background="transparent", detector="litert", on_missing="skip"),
                    ResizePad(300),
                ],
            ),
            (
                "--remove-background --background 255,128,0",
                [
                    HandCropper(),
                    BackgroundRemover(background=(255, 128, 0)),
                    ResizePad(300, fill=(255, 128, 0)),
                ],
            ),
            (
                "--hand left --max-hands 7 --fill white",
                [HandCropper(hand="left", max_hands=7), ResizePad(300, fill="white")],
            ),
            (
                "--detector litert --confidence 0.3 --margin 0.2 --square --upright --mirror right "
                "--no-search --hand largest --on-missing center",
                [
                    HandCropper(
                        detector="litert",
                        confidence=0.3,
                        margin=0.2,
                        square=True,
                        upright=True,
                        mirror="right",
                        search=False,
                        hand="largest",
                        on_missing="center",
                    ),
                    ResizePad(300),
                ],
            ),
        ],
    )
    def test_they_make_a_pipeline(
        self, src: Path, dst: Path, tmp_path: Path, options: str, pipeline: list[object]
    ) -> None:
        saved = tmp_path / "pipeline.json"

        assert run(src, dst, *options.split(), "--save-pipeline", saved) == 0
        assert Pipeline.from_json(saved.read_text()) == Pipeline(pipeline)  # type: ignore[arg-type]

    def test_a_saved_pipeline_does_the_same(self, src: Path, dst: Path, tmp_path: Path) -> None:
        saved = tmp_path / "pipeline.json"
        run(src, dst, "--size", 64, "--margin", 0.3, "--save-pipeline", saved)

        assert run(src, tmp_path / "again", "--pipeline", saved) == 0
        assert outputs(tmp_path / "again") == outputs(dst)

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ("--size big", "must be a number such as 300"),
            ("--size 1x2x3", "must be a number such as 300"),
            ("--size 0", "size must be"),
            ("--margin -1", "margin must be a number from 0 to 10"),
            ("--confidence 2", "confidence must be a number from 0 to 1"),
            ("--detector eyes", "invalid choice: 'eyes'"),
            ("--workers 0", "workers must be at least 1"),
            ("--format gif", "invalid choice: 'gif'"),
            ("--resize", "no option --resize, did you mean --"),
            (
                "--no-crop --square --no-search",
                "--square, --no-search cannot be used here: nothing is cropped",
            ),
            ("--no-resize --size 64", "--size cannot be used here: nothing is resized"),
            ("--method fast", "--method cannot be used here: the background is only removed with"),
            ("--background white", "--background cannot be used here"),
            ("--remove-background --model u2netp", "--model cannot be used here: only --method rembg"),
            ("--remove-background --background transparent --format jpg", "JPEG cannot be transparent"),
            ("--no-crop --remove-background --on-missing center", "on_missing must be one of"),
            ("--remove-background --background nocolour", "or a colour such as 'white'"),
            (
                "--remove-background --alpha-matting",
                "--alpha-matting cannot be used here: only --method rembg",
            ),
            ("--pipeline nowhere.json", "nowhere.json cannot be read"),
            ("--pipeline p.json --size 64 --grey", "--size, --grey cannot be used here: --pipeline"),
        ],
    )
    def test_wrong_ones_are_refused(
        self, src: Path, dst: Path, capsys: pytest.CaptureFixture[str], options: str, complaint: str
    ) -> None:
        assert complaint in refused(capsys, src, dst, *options.split())
        assert not dst.exists()

    def test_a_file_that_is_no_pipeline_is_refused(
        self, src: Path, dst: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for content in (b"{}", b"\xff", b"[1]"):
            (tmp_path / "p.json").write_bytes(content)
            assert "p.json" in refused(capsys, src, dst, "--pipeline", tmp_path / "p.json")


class TestWrongFolders:
    def test_they_are_refused_before_anything_is_made(
        self, src: Path, dst: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "empty").mkdir()

        assert "nowhere does not exist" in refused(capsys, tmp_path / "nowhere", dst)
        assert "prepared ends in none of .png" in refused(capsys, tmp_path / "file", dst)
        assert "file is a file" in refused(capsys, src, tmp_path / "file")
        assert "is the folder of photos" in refused(capsys, src, src)
        assert "no photo in" in refused(capsys, tmp_path / "empty", dst)
        assert "the following arguments are required: DST" in refused(capsys, src)
        assert not dst.exists()


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        ("rnu photos prepared", "did you mean run?"),
        ("run photos prepared --margn 0.3", "no option --margn, did you mean --margin?"),
        (
            "run photos prepared --siz=64 --gery",
            "no option --siz, did you mean --size?; no option --gery, did",
        ),
        ("run photos prepared --detector literrt", "did you mean litert?"),
        ("run photos prepared --zzzz", "no option --zzzz (see handprep run --help)"),
        ("show photo.jpg --uprigth", "did you mean --upright?"),
        ("export prepared --too x.csv --to x.csv", "did you mean --to?"),
        ("models fetc", "did you mean fetch?"),
        ("run one two three", "unrecognized arguments: three"),
    ],
)
def test_a_slip_gets_one_line_that_says_what_was_meant(
    capsys: pytest.CaptureFixture[str], words: str, suggestion: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words.split())
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert suggestion in err
    assert err.count("\n") == 1


def test_samples_are_photos_that_can_be_prepared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["samples"]) == 0
    assert "next: handprep run photos prepared" in capsys.readouterr().out
    assert main(["run", "photos", "prepared", "--size", "64", "--quiet"]) == 0
    assert len(list(Path("prepared").rglob("*.png"))) == 3

    assert main(["samples"]) == 2  # nothing of the user's is overwritten
    assert "photos exists already" in capsys.readouterr().err


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"handprep {handprep.__version__}\n"


def test_the_help_has_every_option_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["run", "--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    for option in ("--remove-background", "--on-missing", "--workers", "--pipeline", "--grey, --gray"):
        assert option in told
    assert "handprep run photos prepared --size 64" in told
    assert told.isascii()


class TestModels:
    def test_they_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models"]) == 0

        out = capsys.readouterr().out
        assert all(f"{name} " in out for name in models.MODELS)
        assert str(models.cache_folder()) in out

    def test_they_are_fetched_by_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "fetch", "palm_detection_full", "hand_landmark_full"]) == 0

        fetched = [Path(line) for line in capsys.readouterr().out.splitlines()]
        assert [path.stat().st_size for path in fetched] == [2_339_846, 5_478_917]

    def test_only_the_networks_that_find_hands_unless_all_are_asked_for(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert main(["models", "fetch"]) == 0
        assert {Path(line).stem for line in capsys.readouterr().out.splitlines()} == {
            "palm_detection_full",
            "hand_landmark_full",
        }
        asked: list[str] = []
        monkeypatch.setattr(models, "fetch", lambda name, progress: asked.append(name) or Path(name))
        assert main(["models", "fetch", "--all"]) == 0
        assert asked == list(models.MODELS)

    def test_an_unknown_one_is_wrong_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "fetch", "alexnet"]) == 2
        assert "unknown model 'alexnet'" in capsys.readouterr().err


def test_rembgs_network_can_be_chosen() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)

    pipeline = pipeline_of(
        parser.parse_args(["--remove-background", "--method", "rembg", "--model", "u2netp"])
    )

    assert pipeline.transforms[1] == BackgroundRemover(method="rembg", model="u2netp")
