"""README and docs keep their word: their Python and their commands run, and what they list exists.

In a page, ``python`` blocks run in order in one namespace, and so do the handprep commands of ``bash``
blocks, all in a folder that holds ``examples`` and the package's sample ``photos``. A ``text`` block after
one of these is what it prints (``...`` stands for anything). A block below ``<!-- needs: torch -->`` runs
where that package is installed.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import importlib.util
import io
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import handprep
from handprep import cli, images, models
from handprep.errors import MissingExtraError
from handprep.samples import PHOTOS
from tests import clips
from tests.images.any_torchvision import require_torchvision
from tests.rendered import photos

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
FOUND = sorted(found.name for found in pkgutil.walk_packages(handprep.__path__, "handprep."))
MODULES = [
    "handprep",
    *(name for name in FOUND if "_pyinstaller" not in name),
]  # only PyInstaller imports that
OF_TORCHVISION = {"handprep.integrations.torchvision", "handprep.integrations.image_folder"}
LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

BLOCK = re.compile(r"(?:^<!-- needs: ([\w, ]+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:\.venv/bin/)?handprep (.+)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
OF_OTHERS = {
    *(
        "--force-reinstall",
        "--no-deps",
        "--no-cache-dir",
        "--no-install-recommends",
        "--hand-free",
        "--index-url",
    ),
    *("--quick", "--data", "--out", "--arms", "--seeds", "--origin-seeds", "--epochs", "--device", "--jobs"),
    *("--white", "--green", "--methods", "--backgrounds", "--count", "--tones", "--seed"),
    *("--paired", "--scenes", "--by", "--light", "--blur", "--classic", "--photos"),
    *("--page", "--port", "--workers"),
}
LINK = re.compile(r"(?:\]\(|src=\")([^)#\"]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, its text, the line of the page it starts at, and what it needs."""

    language: str
    text: str
    line: int
    needs: frozenset[str]


def blocks_of(page: Path) -> list[Block]:
    content, blocks = page.read_text(encoding="utf-8"), []
    for found in BLOCK.finditer(content):
        needs, language, text = found.groups(default="")
        line = 1 + content.count("\n", 0, found.start(3))
        packages = blocks[-1].needs if language == "text" else frozenset(re.findall(r"\w+", needs))
        blocks.append(Block(language=language, text=text, line=line, needs=packages))
    return blocks


def commands_of(block: Block) -> list[list[str]]:
    """Return the arguments of each handprep command in a block."""
    if block.language != "bash":
        return []
    lines = block.text.replace("\\\n", " ").replace("&&", "\n").splitlines()
    found = (COMMAND.fullmatch(line.strip()) for line in lines)
    return [shlex.split(command[1], comments=True) for command in found if command]


def run_command(arguments: list[str]) -> int:
    if arguments == ["models", "fetch", "--all"]:  # 200 MB
        arguments = [*arguments, "--help"]
    try:
        if arguments == ["samples", "photos"]:  # it is there, for pages that do not begin with this
            shutil.rmtree("photos")
        return cli.main(arguments)
    except SystemExit as stop:  # --help, --version, or wrong usage
        return int(stop.code or 0)


def run_blocks(page: Path, blocks: list[Block]) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks:
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        if block.language == "text":
            as_said = doctest.OutputChecker().check_output(block.text, printed, LENIENT)
            assert as_said, f"{where}: got\n{printed}"
            continue
        with contextlib.redirect_stdout(io.StringIO()) as output:
            if block.language == "python":
                source = "\n" * (block.line - 1) + block.text  # so that a traceback shows the page's line
                exec(compile(source, page, "exec", dont_inherit=True), namespace)
            for arguments in commands_of(block):
                assert run_command(arguments) == 0, f"{where}: handprep {shlex.join(arguments)} failed"
        printed = output.getvalue()


def cases() -> list[Any]:
    """Return each page with each set of packages that some of its blocks need."""
    found = []
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        for needs in {frozenset[str](), *(block.needs for block in blocks_of(page))}:
            found.append(pytest.param(page, needs, id=" with ".join([name, *sorted(needs)])))
    return sorted(found, key=lambda case: str(case.id))


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A current folder as the pages expect it; what lies in it before a page runs must stay as it is."""
    shutil.copytree(EXAMPLES / "rendered-hands", tmp_path / "examples" / "rendered-hands")
    (tmp_path / "examples" / "rendered-study").symlink_to(EXAMPLES / "rendered-study")
    shutil.copytree(PHOTOS, tmp_path / "photos")
    (tmp_path / "clips" / "rock").mkdir(parents=True)
    for name in ("clip.mp4", "clips/rock/clip.mp4"):
        clips.write(tmp_path / name, [images.read(photos()[0].path).image] * 15, "mp4v")
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    yield tmp_path
    assert contents(tmp_path) == before, "a page wrote into the reader's folders"


def contents(folder: Path) -> dict[Path, bytes]:
    """Return the files of the folders that belong to the reader."""
    files = (path for name in ("photos", "examples") for path in (folder / name).rglob("*"))
    return {path: path.read_bytes() for path in files if path.is_file()}


@pytest.mark.parametrize(("page", "needs"), cases())
def test_the_code_and_the_commands_of_a_page_run(page, needs, workplace):
    for package in sorted(needs):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    if "torchvision" in needs:
        require_torchvision()
    run_blocks(page, [block for block in blocks_of(page) if block.needs <= needs])
    if page == README:
        assert len(list((workplace / "prepared").rglob("*.png"))) == 36


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("page", ["torch", "prepared-dataset"])
def test_a_page_with_workers_is_a_script_that_runs(page, method, workplace):
    """Spawned workers import the script again, so the guards must be where they belong."""
    require_torchvision()
    path = ROOT / "docs" / "how-to" / f"{page}.md"
    blocks = [block.text for block in blocks_of(path) if block.language == "python"]
    start = (
        "import multiprocessing\nfrom tests.images.any_torchvision import require_torchvision\n"
        f"require_torchvision()\nmultiprocessing.set_start_method({method!r}, force=True)\n"
    )
    Path("script.py").write_text(start + "\n".join(blocks), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    ended = subprocess.run(
        [sys.executable, "script.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "(3, " in ended.stdout


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_docstrings_run(module):
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report = io.StringIO()
    if module in OF_TORCHVISION:
        require_torchvision()
    try:
        imported = importlib.import_module(module)
    except MissingExtraError as missing:
        pytest.skip(str(missing))
    for example in finder.find(imported):
        runner.run(example, out=report.write)
    assert runner.failures == 0, report.getvalue()


PUBLIC = [
    *(
        f"handprep.{name}" for name in handprep.__all__ if name != "Grayscale"
    ),  # Greyscale, as others spell it
    *(f"handprep.images.{name}" for name in images.__all__),
    *(f"handprep.models.{name}" for name in models.__all__),
    *("handprep.explain.Explanation", "handprep.features"),
    "handprep.integrations.torchvision.V2Transform",
    "handprep.integrations.albumentations.PrepareHands",
    "handprep.integrations.image_folder.PreparedImageFolder",
    "handprep.integrations.ray.prepare",
    "handprep.prepared.PreparedCache",
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_in_the_reference(name):
    assert f"::: {name}\n" in REFERENCE


@pytest.fixture
def options(capsys):
    """Every option of the command line."""
    for command in (
        ["--help"],
        ["run", "--help"],
        ["show", "--help"],
        ["export", "--help"],
        ["models", "--help"],
        ["models", "fetch", "--help"],
        ["samples", "--help"],
    ):
        assert run_command(command) == 0
    return set(OPTION.findall(capsys.readouterr().out))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_names_only_options_that_exist(page, options):
    assert set(OPTION.findall(page.read_text(encoding="utf-8"))) <= options | OF_OTHERS


def test_the_how_to_of_the_command_line_names_every_option(options):
    pages = [
        (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8")
        for name in ("cli.md", "export.md", "offline-models.md")
    ]
    assert set(OPTION.findall("".join(pages))) >= options - {"--help"}


def test_the_links_of_the_readme_lead_to_files():
    links = LINK.findall(README.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith(("https://", "../../actions"))]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []
