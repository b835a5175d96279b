"""A stored traceback as frames and the words between them. Reads text only: no file is opened, and nothing is lost."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from pathlib import PurePosixPath

_FRAME = re.compile(r'(?P<indent>[\s|+-]* )File "(?P<path>.*)", line (?P<line>\d+)(?:, in (?P<function>.*))?')
_REPEATED = re.compile(r"\[Previous line repeated \d+ more times?\]")
_CARETS = re.compile(r"[\s|]*[~^]+[~^ ]*")
_HEADING = re.compile(r"[\s|+-]*(?:Exception Group )?Traceback \(most recent call last\):")
_PACKAGES = re.compile(r"/(?:site|dist)-packages/")
#: The standard library of any machine that may have run the job: lib/python3.13/, lib64/pypy3.11/, Python311/Lib/.
_STANDARD = re.compile(r"/lib(?:64)?/(?:python|pypy)\d[\d.]*t?/|/Python\d+/Lib/", re.IGNORECASE)
_OWN_STANDARD = tuple({f"{sysconfig.get_paths()[name]}/" for name in ("stdlib", "platstdlib")})

CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"


class Origin(StrEnum):
    """Whose code a frame is."""

    OWN = "own"
    PACKAGE = "package"
    STANDARD = "standard"


class Kind(StrEnum):
    """What a line between frames is."""

    HEADING = "heading"
    CHAIN = "chain"
    MESSAGE = "message"


@dataclass(slots=True)
class Source:
    """A line below a frame's place: source, carets below it, or a note on how often the frame is repeated."""

    text: str
    is_caret: bool = False
    is_note: bool = False


@dataclass(slots=True)
class Frame:
    """One call. ``place`` is the path as people call it: below the project, the package or the library's root."""

    raw: list[str]
    path: str
    line: int
    function: str
    origin: Origin
    place: str
    source: list[Source] = field(default_factory=list)

    @property
    def library(self) -> str:
        """The top-level name of the library that a frame of others' code is in, such as ``smtplib``."""
        if self.path.startswith("<frozen"):
            return self.path.removeprefix("<frozen").strip(" >").split(".")[0]
        first = self.place.split("/")[0]
        return PurePosixPath(first).stem or first


@dataclass(slots=True)
class Words:
    """Lines between frames, of one kind: a heading, an exception's message, or how two exceptions hang together."""

    raw: list[str]
    kind: Kind

    @property
    def text(self) -> str:
        return "\n".join(self.raw).strip("\n")


@dataclass(slots=True)
class Frames:
    """Consecutive frames that are all ours or all others'. ``is_open``: shown unfolded."""

    frames: list[Frame]
    is_own: bool
    is_open: bool

    @property
    def libraries(self) -> list[str]:
        """The libraries' names, each once, in the order of the calls."""
        return list(dict.fromkeys(frame.library for frame in self.frames if frame.library))

    @property
    def is_standard(self) -> bool:
        """Whether all of the frames are the standard library's."""
        return all(frame.origin is Origin.STANDARD for frame in self.frames)


@dataclass(slots=True)
class Traceback:
    """Blocks in the order of the text; ``is_open`` of the frames that matter is set."""

    blocks: list[Words | Frames]

    @property
    def frames(self) -> list[Frame]:
        return [frame for block in self.blocks if isinstance(block, Frames) for frame in block.frames]

    def text(self) -> str:
        """Return the text that this was parsed from."""
        return "\n".join(line for block in self.blocks for line in _raw(block))


def parse(text: str, *, base: str = "") -> Traceback:
    """Return a traceback's blocks. ``base`` is the project's directory, which paths are shown relative to.

    Never raises: text that is no traceback is one block of words.
    """
    blocks: list[Words | Frames] = []
    parts = list(_parts(text.split("\n"), base)) if text else []
    for key, group in groupby(parts, key=_block_of):
        members = list(group)
        if key == Origin.OWN or key == Origin.PACKAGE:
            frames = [part for part in members if isinstance(part, Frame)]
            blocks.append(Frames(frames, is_own=key == Origin.OWN, is_open=key == Origin.OWN))
        else:
            raw = [line for part in members if isinstance(part, Words) for line in part.raw]
            blocks.append(Words(raw, Kind(key)))
    groups = [block for block in blocks if isinstance(block, Frames)]
    if groups and not any(group.is_own for group in groups):
        # The fault is in a library that was called directly: folded, the page would show no frame at all.
        groups[-1].is_open = True
    return Traceback(blocks)


def _raw(block: Words | Frames) -> Sequence[str]:
    return block.raw if isinstance(block, Words) else [line for frame in block.frames for line in frame.raw]


def _block_of(part: Words | Frame) -> str:
    """Return what neighbouring parts must share to be one block; the libraries' frames are one whatever the library."""
    if isinstance(part, Words):
        return part.kind
    return Origin.OWN if part.origin is Origin.OWN else Origin.PACKAGE


def _parts(lines: Sequence[str], base: str) -> Iterator[Words | Frame]:
    frame: Frame | None = None
    indent = ""
    for line in lines:
        found = _FRAME.fullmatch(line)
        if found is not None:
            if frame is not None:
                yield frame
            frame, indent = _frame(line, found, base), found["indent"]
        elif frame is not None and _belongs(line, indent):
            frame.raw.append(line)
            frame.source.append(_source(line, indent))
        else:
            if frame is not None:
                yield frame
                frame = None
            yield Words([line], _kind(line))
    if frame is not None:
        yield frame


def _belongs(line: str, indent: str) -> bool:
    """Say whether a line is a frame's: its source is indented more than its place, a note on recursion as much."""
    return line.startswith(f"{indent}  ") or (line.startswith(indent) and bool(_REPEATED.match(line, len(indent))))


def _source(line: str, indent: str) -> Source:
    text = line[len(indent) :]
    if _REPEATED.match(text):
        return Source(text, is_note=True)
    return Source(text.removeprefix("  "), is_caret=bool(_CARETS.fullmatch(line)))


def _kind(line: str) -> Kind:
    bare = line.strip(" |+-")
    if bare in (CAUSE, CONTEXT):
        return Kind.CHAIN
    return Kind.HEADING if _HEADING.fullmatch(line) else Kind.MESSAGE


def _frame(line: str, found: re.Match[str], base: str) -> Frame:
    path = found["path"]
    origin, place = _place(path, base)
    # A line number of thousands of digits is no traceback's, and more than int() takes.
    return Frame([line], path, int(found["line"][:9]), found["function"] or "", origin, place)


def _place(path: str, base: str) -> tuple[Origin, str]:
    """Return whose code a path is and the path as it is shown."""
    slashed = path.replace("\\", "/")
    # An environment often lies inside the project, so what is installed in it comes first.
    if packages := list(_PACKAGES.finditer(slashed)):
        return Origin.PACKAGE, slashed[packages[-1].end() :] or path
    if path.startswith("<frozen"):
        return Origin.STANDARD, path
    for root in _OWN_STANDARD:
        if slashed.startswith(root):
            return Origin.STANDARD, slashed[len(root) :] or path
    root = base.replace("\\", "/").rstrip("/") + "/"
    if len(root) > 1 and slashed.startswith(root):
        return Origin.OWN, slashed[len(root) :] or path
    if standard := list(_STANDARD.finditer(slashed)):
        return Origin.STANDARD, slashed[standard[-1].end() :] or path
    return Origin.OWN, path
