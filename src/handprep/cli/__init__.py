"""The command line: a thin shell over `handprep.prepare` and `handprep.models`."""

import argparse
import inspect
import io
import os
import re
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import handprep
from handprep.cli.commands import add_export, add_models_and_samples, add_show
from handprep.cli.options import add_options, pipeline_of
from handprep.errors import HandprepError, InputError
from handprep.files import atomic_write
from handprep.images.encoding import FORMATS, encode, format_of
from handprep.pipeline import Pipeline
from handprep.prepared.record import sealed
from handprep.prepared.run import MANIFEST, REPORT, RunResult, prepare
from handprep.text import printable

STREAM = Path("-")  # standard input, or standard output
FINE, SOME_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130  # exit codes; 130 is what shells give for Ctrl-C
WRONG_CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)
MOST_LISTED = 20  # failures on the screen; the manifest lists all

EXAMPLES = """\
examples:
  handprep run photo.jpg hand.png
      prepare one photo; handprep run - - reads and writes streams
  handprep run photos prepared
      crop to the hand, resize to 300 x 300 with padding
  handprep run photos prepared --size 64 --grey --upright --mirror right
      small grey images of upright right hands
  handprep run photos prepared --remove-background --background white
  handprep show photos/rock/rock-000.jpg --upright -o steps.png
      see what each step does to a photo, before a whole folder is prepared
  handprep export prepared --to landmarks.csv
      write the landmarks of all prepared images, in pixels of the photos, too
  handprep samples photos
      copy three rendered hands into a new folder, to try all of this
  handprep models fetch
      download the two networks that find hands, for a machine without a network

Run a command again to resume it. Photos that changed are prepared again.
Exit codes: 0 success, 1 some photos failed or nothing could be done, 2 wrong usage, 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with these arguments, by default the program's own, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # else a name that the console lacks would end it all
            stream.reconfigure(errors="backslashreplace")
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.command(parsed)
        sys.stdout.flush()
    except HandprepError as error:
        return _complain(error, USAGE if isinstance(error, InputError) else SOME_FAILED)
    except KeyboardInterrupt as interrupt:
        return _complain(interrupt, INTERRUPTED)
    except BrokenPipeError:  # as in `handprep run … | head`; and nothing is to complain about it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    return code


class Parser(argparse.ArgumentParser):
    """argparse's parser, with a suggestion in place of the usage."""

    def error(self, message: str) -> NoReturn:
        """End the program with exit code 2 and one line."""
        if found := WRONG_CHOICE.search(message):
            message += _suggestion(found[1], re.findall(r"[^\s,']+", found[2]))
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse, and refuse an unknown option here, where the options of the subcommand are known."""
        known, unknown = super().parse_known_args(args, namespace)
        options = [argument.partition("=")[0] for argument in unknown if argument.startswith("-")]
        if options:
            guesses = (_suggestion(option, self._option_string_actions) for option in options)
            self.error("; ".join(f"no option {o}{guess}" for o, guess in zip(options, guesses, strict=True)))
        return known, unknown


def _suggestion(word: str, choices: Iterable[str]) -> str:
    close = get_close_matches(word, list(choices), n=1)
    return f", did you mean {close[0]}?" if close else ""


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="handprep",
        allow_abbrev=False,
        description="Turn photos of hands into clean, uniform training images.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"handprep {handprep.__version__}")
    commands: argparse._SubParsersAction[Any] = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    add_show(commands)
    add_export(commands)
    add_models_and_samples(commands)
    return parser


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser(
        "run",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,  # so that defaults are those of `prepare` alone
        help="prepare a folder of photos",
        description="Prepare every photo in a folder and its subfolders. Run the command again to resume.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.set_defaults(command=_run)
    add = run.add_argument
    source = "the folder of photos, SRC/[origin/]class/photo; or one photo, or -"
    add("src", type=Path, metavar="SRC", help=source)
    add("dst", type=Path, metavar="DST", help="the folder for the outputs, as in SRC; or one file, or -")
    add("--format", choices=tuple(FORMATS), help="of the outputs (png, or as DST ends)")
    add("--workers", type=int, metavar="N", help="threads (one a core)")
    add("--report", action="store_true", help=f"also write DST/{REPORT}, an overview for any browser")
    unrecorded = "write images without a record of hands and photo; the next run prepares all of them again"
    add("--no-record", dest="record", action="store_false", help=unrecorded)
    level = "which folder is the class: -1 the one that holds the photo, -2 the one above, 1 the top one (-1)"
    add("--class-level", type=int, metavar="N", help=level)
    add("--each-hand", action="store_true", help="write one image per hand: a-1.png, a-2.png, ...")
    quiet = "no progress bar and no table; failures are still listed"
    add("--quiet", dest="progress", action="store_false", default=True, help=quiet)
    add("--every", type=int, metavar="N", help="of clips, every Nth frame (1)")
    add("--fps", type=float, metavar="F", help="of clips, so many frames a second (all)")
    different = "leave out frames whose image differs by less than D, 0 to 1, from the last one kept (0)"
    add("--different", type=float, metavar="D", help=different)
    frames = "take all frames of animations and pages of TIFFs, as of clips"
    add("--frames", dest="animations", action="store_true", help=frames)
    add_options(run)


def _run(parsed: argparse.Namespace) -> int:
    pipeline = pipeline_of(parsed)
    given = vars(parsed) | {"pipeline": pipeline}
    if parsed.src == STREAM or parsed.src.is_file():
        return _run_one(parsed.src, parsed.dst, pipeline, given)
    if parsed.dst == STREAM:
        raise InputError("a folder of photos needs a folder for the outputs; - is for one photo")
    result = prepare(**{name: given[name] for name in inspect.signature(prepare).parameters if name in given})
    if parsed.progress:
        print(f"{result.detection.text()}\n\n{_summary(result, given)}")
    rows = (f"{printable(row.source)}: {printable(row.message)}" for row in result.failed)
    problems = [*result.unread, *rows]
    for problem in problems[:MOST_LISTED]:
        print(f"failed: {problem}", file=sys.stderr)
    if len(problems) > MOST_LISTED:
        print(f"and {len(problems) - MOST_LISTED} more: see {MANIFEST}", file=sys.stderr)
    return SOME_FAILED if problems else FINE


def _run_one(src: Path, dst: Path, pipeline: Pipeline, given: dict[str, Any]) -> int:
    """Prepare one photo, from a file or standard input to a file or standard output."""
    if given.keys() & {"report", "each_hand"} or dst.is_dir():
        raise InputError(
            f"{printable(str(src))} is one photo: give a file for it, without --report and --each-hand"
        )
    format = (given.get("format") or ("png" if dst == STREAM else format_of(dst))).lower()
    if FORMATS.get(dst.suffix.lower().removeprefix(".")) not in (None, FORMATS[format]):
        problem = f"is no name for --format {format}: name it so, or leave that out"
        raise InputError(f"{printable(str(dst))} {problem}")
    if src == STREAM:
        sample = pipeline.run(sys.stdin.buffer.read(), name="standard input")
    else:
        sample = pipeline.run(src)
    image = sealed(sample, format) if given.get("record", True) else encode(sample, format)
    if dst == STREAM:
        sys.stdout.buffer.write(image)
    else:
        atomic_write(dst, image)
    return FINE


def _summary(result: RunResult, given: dict[str, Any]) -> str:
    def some(names: Sequence[str]) -> str:
        return f"{len(names)} ({', '.join(map(printable, names[:3]))}{', ...' if len(names) > 3 else ''})"

    counts = result.counts
    photos, folder = sum(counts.values()), printable(str(result.folder))
    clips = {row.clip for row in result.rows if row.clip}
    frames = sum(row.frame is not None for row in result.rows)
    images = sum(bool(row.output) for row in result.rows)
    states = f"{counts['done']} done, {counts['no-hand']} without a hand, {counts['skipped']} skipped"
    report = printable(str(Path(result.folder, REPORT)))
    lines = (
        (True, f"photos: {photos} ({states}, {counts['failed']} failed)"),
        (clips, f"of these, frames of clips: {frames} (clips: {len(clips)})"),
        (len(result.rows) > photos, f"images, one for each hand: {images}"),
        (result.resumed, f"already done: {result.resumed}"),
        (result.ignored, f"other files, ignored: {result.ignored}"),
        (result.nested, f"folders of prepared images among the photos, left out: {some(result.nested)}"),
        (result.vanished, f"outputs of photos that are gone, left: {some(result.vanished)}"),
        (True, f"manifest: {printable(str(Path(result.folder, MANIFEST)))}"),
        ("report" in given, f"report: {report} (open it in a browser)"),
        ("report" not in given, "next: add --report to see every photo beside its result in a browser"),
        (given.get("record", True), f"next: handprep export {folder} --to landmarks.csv"),
    )
    return "\n".join(line for applies, line in lines if applies)


def _complain(error: BaseException, code: int) -> int:
    text = "interrupted" if isinstance(error, KeyboardInterrupt) else f"error: {error}"
    for line in (text, *getattr(error, "__notes__", ())):
        print(f"handprep: {line}", file=sys.stderr)
    return code
