"""Stored tracebacks: what is ours, what is a library's, and that nothing of the text is lost."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app_scheduler import tracebacks
from app_scheduler.tracebacks import CAUSE, CONTEXT, Frames, Kind, Origin, Words

BASE = "/srv/site"


def own(path: str, line: int, function: str, source: str = "call()") -> str:
    return f'  File "{path}", line {line}, in {function}\n    {source}\n'


MAIL = (
    "Traceback (most recent call last):\n"
    + own(f"{BASE}/app_scheduler/jobs.py", 64, "failure_digest", "deliver(recipient, messages)")
    + own(f"{BASE}/games/mail.py", 88, "deliver", "smtp.send_message(message)")
    + own("/usr/lib/python3.13/smtplib.py", 986, "send_message")
    + own("/usr/lib/python3.13/smtplib.py", 900, "sendmail")
    + own("/usr/lib/python3.13/socket.py", 12, "send")
    + "smtplib.SMTPServerDisconnected: Connection unexpectedly closed\n"
)


def frames_of(text: str, base: str = BASE) -> list[tuple[str, int, str, Origin]]:
    return [(f.place, f.line, f.function, f.origin) for f in tracebacks.parse(text, base=base).frames]


def test_our_frames_are_open_and_the_librarys_are_folded_together() -> None:
    blocks = tracebacks.parse(MAIL, base=BASE).blocks
    ours, theirs = [block for block in blocks if isinstance(block, Frames)]
    assert [frame.place for frame in ours.frames] == ["app_scheduler/jobs.py", "games/mail.py"]
    assert (ours.is_own, ours.is_open) == (True, True)
    assert (theirs.is_own, theirs.is_open, len(theirs.frames)) == (False, False, 3)
    assert (theirs.libraries, theirs.is_standard) == (["smtplib", "socket"], True)


def test_a_frame_has_its_source_as_it_was_stored() -> None:
    frame = tracebacks.parse(MAIL, base=BASE).frames[0]
    assert (frame.line, frame.function) == (64, "failure_digest")
    assert [source.text for source in frame.source] == ["deliver(recipient, messages)"]


def test_carets_and_repeats_are_told_from_source() -> None:
    text = '  File "/srv/site/a.py", line 3, in f\n    return f(n - 1)\n           ~^^^^^^^\n'
    text += "  [Previous line repeated 988 more times]\n"
    (frame,) = tracebacks.parse(text, base=BASE).frames
    assert [(s.text, s.is_caret, s.is_note) for s in frame.source] == [
        ("return f(n - 1)", False, False),
        ("       ~^^^^^^^", True, False),
        ("[Previous line repeated 988 more times]", False, True),
    ]


@pytest.mark.parametrize(
    ("path", "origin", "place"),
    [
        ("/srv/site/games/mail.py", Origin.OWN, "games/mail.py"),
        ("/srv/site/.venv/lib/python3.13/site-packages/django/db/utils.py", Origin.PACKAGE, "django/db/utils.py"),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", Origin.PACKAGE, "yaml/__init__.py"),
        (traceback.__file__, Origin.STANDARD, "traceback.py"),
        ("/opt/python/lib/python3.11/json/decoder.py", Origin.STANDARD, "json/decoder.py"),
        ("C:\\Python313\\Lib\\json\\decoder.py", Origin.STANDARD, "json/decoder.py"),
        ("<frozen importlib._bootstrap>", Origin.STANDARD, "<frozen importlib._bootstrap>"),
        ("<string>", Origin.OWN, "<string>"),
        ("/home/ada/other/thing.py", Origin.OWN, "/home/ada/other/thing.py"),
    ],
)
def test_whose_code_a_path_is(path: str, origin: Origin, place: str) -> None:
    assert frames_of(own(path, 7, "f")) == [(place, 7, "f", origin)]


@pytest.mark.parametrize(
    ("path", "library"),
    [
        ("/x/site-packages/psycopg/cursor.py", "psycopg"),
        ("/x/site-packages/six.py", "six"),
        ("<frozen importlib._bootstrap>", "importlib"),
    ],
)
def test_a_library_is_named_as_it_is_imported(path: str, library: str) -> None:
    (block,) = tracebacks.parse(own(path, 1, "f").rstrip()).blocks
    assert isinstance(block, Frames)
    assert block.libraries == [library]


def test_a_project_in_a_directory_like_the_standard_librarys_is_still_ours() -> None:
    base = "/opt/lib/python3.13/apps/site"
    assert frames_of(own(f"{base}/a.py", 1, "f"), base) == [("a.py", 1, "f", Origin.OWN)]


def test_a_directory_that_only_begins_like_the_projects_is_not_shortened() -> None:
    assert frames_of(own("/srv/site-old/a.py", 1, "f")) == [("/srv/site-old/a.py", 1, "f", Origin.OWN)]


def test_where_no_frame_is_ours_the_last_ones_are_open() -> None:
    blocks = tracebacks.parse(own("/x/site-packages/a.py", 1, "f") + "ValueError: no\n").blocks
    assert [block.is_open for block in blocks if isinstance(block, Frames)] == [True]


def _cause() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        raise RuntimeError("two\nlines") from error


def _context() -> None:
    try:
        json.loads("{")
    except ValueError:
        raise KeyError("k")  # noqa: B904  # the chain is what is tested


def _group() -> None:
    raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])


def _syntax() -> None:
    compile("def f(:\n", "broken.py", "exec")


def _note() -> None:
    error = ValueError("with a note")
    error.add_note("Check the table.")
    raise error


def _recursion() -> None:
    _recursion()


def raised_by(fail: Callable[[], None]) -> str:
    try:
        fail()
    except BaseException as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("fail", [_cause, _context, _group, _syntax, _note, _recursion])
def test_python_s_own_tracebacks_lose_nothing(fail: Callable[[], None]) -> None:
    text = raised_by(fail)
    parsed = tracebacks.parse(text)
    assert parsed.text() == text
    assert parsed.frames


@pytest.mark.parametrize(("fail", "separator"), [(_cause, CAUSE), (_context, CONTEXT)])
def test_chained_exceptions_keep_their_separator_between_them(fail: Callable[[], None], separator: str) -> None:
    words = [block for block in tracebacks.parse(raised_by(fail)).blocks if isinstance(block, Words)]
    told = [(block.kind, block.text) for block in words if block.kind is not Kind.HEADING and block.text]
    assert told[0][0] == Kind.MESSAGE
    assert told[0][1].startswith("json.decoder.JSONDecodeError: ")
    assert told[1] == (Kind.CHAIN, separator)
    assert told[2][0] == Kind.MESSAGE


def test_a_message_of_several_lines_stays_together() -> None:
    last = tracebacks.parse(raised_by(_cause)).blocks[-1]
    assert isinstance(last, Words)
    assert last.text == "RuntimeError: two\nlines"


def test_text_that_is_no_traceback_is_words() -> None:
    (block,) = tracebacks.parse("killed by the kernel").blocks
    assert isinstance(block, Words)
    assert block.text == "killed by the kernel"
    assert tracebacks.parse("").blocks == []


LINES = st.one_of(
    st.sampled_from(MAIL.split("\n")),
    st.sampled_from([CAUSE, CONTEXT, "", "    ~~^^", "  [Previous line repeated 3 more times]"]),
    st.sampled_from(
        ["  + Exception Group Traceback (most recent call last):", "    | ValueError: a", "    +---- 2 ----"]
    ),
    st.builds(
        '{}File "{}", line {}{}'.format,
        st.sampled_from(["", "  ", "    | ", "+ "]),
        st.one_of(st.text(max_size=10), st.sampled_from([BASE, f"{BASE}/", "<frozen os>", "/lib/python3.1/", "//"])),
        st.integers(min_value=0, max_value=10**30),
        st.one_of(st.just(""), st.text(max_size=5).map(", in {}".format)),
    ),
    st.text(max_size=20),
)


@given(st.lists(LINES, max_size=12).map("\n".join), st.sampled_from(["", "/", BASE, "C:\\site", "/srv/site/"]))
@example('  File "", line 1', "")
@example('  File "/srv/site/", line 99999999999999999999999999, in \n', BASE)
def test_any_text_is_parsed_and_given_back_whole(text: str, base: str) -> None:
    parsed = tracebacks.parse(text, base=base)
    assert parsed.text() == text
    for block in parsed.blocks:
        if isinstance(block, Frames):
            assert block.frames
            assert isinstance(block.libraries, list)
        else:
            assert isinstance(block.text, str)
