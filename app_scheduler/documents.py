"""A job as a document: the one shape that the API, the files, the code's defaults and the audit log share.

``clean`` is the only place where a job's definition is checked. It knows no request and no live scheduler: it turns
what somebody sent into a canonical document or says, field by field, what has to change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import triggers
from app_scheduler.conf import console_settings
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobOrigin, JobSpec, JobState
from app_scheduler.registry import RegisteredFunction, registry
from app_scheduler.signature import signature_of

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Document = dict[str, Any]

#: The fields of a document, in the order in which they are written.
FIELDS = (
    "id",
    "name",
    "description",
    "tags",
    "function",
    "args",
    "kwargs",
    "trigger",
    "executor",
    "queue",
    "priority",
    "concurrency_group",
    "coalesce",
    "max_instances",
    "misfire_grace_time",
    "timeout",
    "max_retries",
    "retry_backoff",
    "rerun_if_interrupted",
    "paused",
)
#: What a reader gets beside the document; sent back unchanged it is ignored, so that GET, edit, PUT works.
READ_ONLY = frozenset(
    {
        "anchor",
        "created_at",
        "description_text",
        "expression",
        "last_execution",
        "last_finished_at",
        "last_status",
        "next_run_time",
        "origin",
        "paused_at",
        "paused_by",
        "paused_until",
        "revision",
        "runs_next",
        "schedule",
        "skip_by",
        "skip_reason",
        "skip_tick",
        "state",
        "state_reason",
        "updated_at",
        "url",
    }
)
#: Fields that live in columns of the same name on ``JobSpec``.
SPEC_FIELDS = tuple(name for name in FIELDS if name not in {"id", "paused"})
#: Fields that mean something together only.
ARGUMENTS = ("args", "kwargs")

MAX_TAGS = 20
MAX_COUNT = 2_147_483_647
#: Of a job's priority, in both directions.
MAX_PRIORITY = 100
MAX_GROUP_SLOTS = 10_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TAG = re.compile(r"[\w][\w .:+-]{0,49}")
_GROUP = re.compile(r"[\w][\w .:+-]{0,63}")
_QUEUE = re.compile(r"[\w][\w.:+-]{0,63}")


def defaults() -> Document:
    """Return the values that a document may leave out."""
    options = console_settings.job_defaults
    return {
        "name": "",
        "description": "",
        "tags": [],
        "args": [],
        "kwargs": {},
        "executor": "default",
        "queue": "",
        "priority": 0,
        "concurrency_group": "",
        "coalesce": options["coalesce"],
        "max_instances": options["max_instances"],
        "misfire_grace_time": options["misfire_grace_time"],
        "timeout": None,
        "max_retries": 0,
        "retry_backoff": 30,
        "rerun_if_interrupted": False,
        "paused": False,
    }


def clean(data: object, *, base: Document | None = None, now: datetime | None = None) -> Document:
    """Return ``data`` as a complete canonical document.

    ``base`` is the job's present document: what ``data`` leaves out stays as it is there, and a trigger that is the
    same as there is accepted even if its time has passed. Without it, what is left out takes its default.

    Raises ``InvalidInput`` with every fault found, each under its field's path.
    """
    if not isinstance(data, Mapping):
        raise InvalidInput(gettext("A job is an object with the fields id, function and trigger."))
    errors: dict[str, list[str]] = {}
    known = set(FIELDS)
    for key in data:
        if key not in known and key not in READ_ONLY:
            near = get_close_matches(str(key), FIELDS, n=1)
            hint = (
                gettext("Did you mean “%(name)s”?") % {"name": near[0]}
                if near
                else gettext("The fields are %(names)s.") % {"names": ", ".join(FIELDS)}
            )
            errors[str(key)[:60]] = [gettext("There is no such field. %(hint)s") % {"hint": hint}]

    source = {**(base or defaults()), **{key: data[key] for key in FIELDS if key in data}}
    document: Document = {}

    def take(field: str, convert: Callable[[Any], Any]) -> None:
        try:
            document[field] = convert(source[field])
        except InvalidInput as error:
            errors.update(error.under(field).errors)

    function = _function(source, errors)
    take("name", _text(255))
    take("description", _text(10_000))
    take("tags", _tags)
    take("executor", _executor)
    take("queue", _queue)
    take("priority", _priority)
    take("concurrency_group", _group)
    take("coalesce", _boolean)
    take("rerun_if_interrupted", _boolean)
    take("paused", _boolean)
    take("max_instances", _number(1, 10_000))
    take("misfire_grace_time", _number(1, MAX_COUNT, optional=True, none_means=_("without a limit")))
    take("timeout", _number(1, MAX_COUNT, optional=True, none_means=_("without a limit")))
    take("max_retries", _number(0, 100))
    take("retry_backoff", _number(0, 86_400))
    if function is not None:
        document["function"] = function.name
        try:
            given = source["args"], source["kwargs"]
            # Of the wrong shape it is refused as it is: there can be no mask in it.
            if base is not None and isinstance(given[0], list | tuple) and isinstance(given[1], Mapping):
                given = function.signature.unmasked(*given, base["args"], base["kwargs"])
            document["args"], document["kwargs"] = function.signature.clean(*given)
        except InvalidInput as error:
            errors.update(error.errors)
    if source.get("trigger") in (None, "", {}):
        errors["trigger"] = [
            gettext("Say when the job runs, for example “every 1h”, “0 3 * * *” or “at 2027-01-31 12:00”.")
        ]
    else:
        try:
            document["trigger"] = _trigger(source["trigger"], base, now or timezone.now())
        except InvalidInput as error:
            errors.update(error.under("trigger").errors)
    if not document.get("name") and function is not None:
        document["name"] = readable_name(function.name)
    source.setdefault("id", None)
    if source["id"] in (None, ""):
        source["id"] = slugify(document.get("name", ""))[:200] or uuid4().hex
    take("id", _identifier)
    if errors:
        raise InvalidInput(errors)
    return {field: document[field] for field in FIELDS}


def of(spec: JobSpec) -> Document:
    """Return the document that ``spec`` is stored from. Its values are as they are stored, also where they are bad."""
    values = {field: getattr(spec, field) for field in SPEC_FIELDS}
    document = {"id": spec.job_id, **values, "tags": spec.words, "paused": spec.state == JobState.PAUSED}
    return {field: document[field] for field in FIELDS}


def fault_of(spec: JobSpec) -> InvalidInput | None:
    """Return what keeps a stored job from running, by field, or None where nothing does.

    What was checked when it was stored may have gone since: its function, its executor, a parameter of its function,
    or a row that something else wrote.
    """
    arguments = json.dumps([spec.args, spec.kwargs], default=str)
    schedule = partial(triggers.schedule_for, spec.trigger, anchor=spec.anchor)
    return fault_in(spec.function, arguments, spec.executor, schedule)


def fault_in(
    function: str, arguments: str, executor: str, schedule: Callable[[], triggers.Schedule]
) -> InvalidInput | None:
    """Return the same of columns: ``arguments`` is ``[args, kwargs]`` as JSON, ``schedule`` works out the schedule."""
    errors: dict[str, list[str]] = {}
    registered = _function({"function": function}, errors)
    if registered is not None:
        errors |= _misfits(registered.func, arguments, get_language())
    try:
        _executor(executor)
    except InvalidInput as error:
        errors |= error.under("executor").errors
    try:
        schedule()
    except InvalidInput as error:
        errors |= error.under("trigger").errors
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
        errors["trigger"] = [gettext("Its schedule cannot be worked out: %(fault)s") % {"fault": fault}]
    return InvalidInput(errors) if errors else None


@lru_cache(maxsize=16_384)
def _misfits(func: Callable[..., Any], arguments: str, language: str | None) -> dict[str, list[str]]:
    """Return what is wrong with stored arguments, by path. Cached: each tick of each job asks, and little changes.

    ``language`` is the active one, in which the messages are.
    """
    try:
        signature_of(func).bind(*json.loads(arguments))
    except InvalidInput as error:
        return error.errors
    return {}


def shown(document: Document) -> Document:
    """Return ``document`` as it may leave the console: with its secret arguments masked."""
    args, kwargs = shown_arguments(document["function"], document["args"], document["kwargs"])
    return {**document, "args": args, "kwargs": kwargs}


def shown_arguments(function: str, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return arguments with the secret ones masked, also where the function is gone."""
    registered = registry.find(function)
    signature = registered.signature if registered else signature_of(_anything)
    return signature.masked(args, kwargs)


def _anything(*args: Any, **kwargs: Any) -> None:
    """Stand in for a function that is gone: its arguments are masked by their names alone."""


def apply(document: Document, spec: JobSpec) -> list[str]:
    """Copy a clean document onto ``spec``, without saving; return the names of the columns that changed.

    The state is not touched: pausing has a verb of its own.
    """
    changed = []
    for field in SPEC_FIELDS:
        if not is_same(getattr(spec, field), document[field]):
            setattr(spec, field, document[field])
            changed.append(field)
    # Whoever changes a field has answered what the code last asked for there.
    open_questions = {field: value for field, value in spec.code_before.items() if field not in changed}
    if len(open_questions) < len(spec.code_before):
        spec.code_before = open_questions
        changed.append("code_before")
    if "trigger" in changed or not spec.trigger_type:
        spec.trigger_type = triggers.kind_of(spec.trigger)
        changed.append("trigger_type")
    return changed


def is_same(stored: Any, given: Any) -> bool:
    """Compare as JSON does: to Python 1, 1.0 and true are equal, to a function they are not."""
    return bool(stored == given) and json.dumps(stored, sort_keys=True) == json.dumps(given, sort_keys=True)


def new_spec(document: Document, *, origin: JobOrigin | str, anchor: datetime) -> JobSpec:
    """Return an unsaved ``JobSpec`` for a clean document."""
    spec = JobSpec(job_id=document["id"], origin=origin, anchor=anchor)
    apply(document, spec)
    spec.state = JobState.PAUSED if document["paused"] else JobState.SCHEDULED
    return spec


def merge(theirs: Document, ours: Document | None, stored: Document) -> Document:
    """Return ``stored`` with what the code changed since it last spoke, except where staff changed it.

    A three-way merge: ``ours`` is what the code asked for last time (None if it never did), ``theirs`` what it asks
    for now. The function and its arguments' names belong to the code; a field that staff changed is theirs, and
    whether the job is paused is never the code's to say again.
    """
    merged = dict(stored)
    for field in SPEC_FIELDS:
        # Half of one's arguments and half of another's would fit no function.
        fields = ARGUMENTS if field in ARGUMENTS else (field,)
        untouched_by_staff = ours is None or all(
            name not in ours or is_same(stored[name], ours[name]) for name in fields
        )
        if field == "function" or untouched_by_staff:
            merged[field] = theirs[field]
    return merged


def code_before(theirs: Document, ours: Document | None, stored: Document, earlier: Document) -> Document:
    """Return, by field, what the code asked for before it asked for something new that staff's choice kept out.

    ``stored`` is the job after the merge, ``earlier`` what this returned last time and nobody has answered yet.
    """
    before = {**(ours or {}), **earlier}
    return {
        field: before[field]
        for field in SPEC_FIELDS
        if field in before and not is_same(stored[field], theirs[field]) and not is_same(theirs[field], before[field])
    }


def readable_name(function_name: str) -> str:
    """Return “Delete old executions” for ``app_scheduler.jobs.delete_old_executions``."""
    words = function_name.rsplit(".", 1)[-1].replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _function(source: Mapping[str, Any], errors: dict[str, list[str]]) -> RegisteredFunction | None:
    name = source.get("function")
    if not isinstance(name, str) or not name.strip():
        errors["function"] = [
            gettext("Choose the function that the job calls, for example “app_scheduler.jobs.check_url”.")
        ]
        return None
    try:
        return registry.get(name.strip())
    except InvalidInput as error:
        errors.update(error.errors)
        return None


def _trigger(value: object, base: Document | None, now: datetime) -> Document:
    if base is not None:
        document = triggers.normalise(value, now=now, allow_past=True)
        if document == base.get("trigger"):
            return document
    return triggers.normalise(value, now=now)


def _identifier(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(gettext("An id is text, for example “nightly-cleanup”."))
    value = _storable(value.strip())
    if not value or len(value) > 255:
        raise InvalidInput(gettext("An id has 1 to 255 characters, for example “nightly-cleanup”."))
    if _CONTROL.search(value) or "/" in value or "\\" in value or value in {".", ".."}:
        raise InvalidInput(
            gettext("An id may not contain slashes, line breaks or control characters. Use letters, digits, - and _.")
        )
    return value


@cache
def _text(limit: int) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise InvalidInput(gettext("Give text."))
        value = value.replace("\r\n", "\n").strip()
        if len(value) > limit:
            raise InvalidInput(
                gettext("This has %(count)s characters. Shorten it to at most %(limit)s.")
                % {"count": f"{len(value):,}", "limit": f"{limit:,}"}
            )
        return _storable(value)

    return convert


def _storable(value: str) -> str:
    """Return text that every database takes."""
    if "\x00" in value:
        raise InvalidInput(gettext("This contains a NUL character. Remove it."))
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput(gettext("This contains half a character (a lone surrogate). Type it again."))
    return value


def _tags(value: Any) -> list[str]:
    if isinstance(value, str):
        value = [tag for tag in value.split(",") if tag.strip()]
    if value is None:
        return []
    if not isinstance(value, Sequence) or not all(isinstance(tag, str) for tag in value):
        raise InvalidInput(gettext('Tags are a list of words, for example ["maintenance", "mail"].'))
    tags = list(dict.fromkeys(tag.strip().lower() for tag in value if tag.strip()))
    if len(tags) > MAX_TAGS:
        raise InvalidInput(gettext("A job has at most %(count)s tags.") % {"count": MAX_TAGS})
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise InvalidInput(
                gettext("“%(tag)s” is not a tag. Use up to 50 letters, digits, spaces, - . _ : or +.")
                % {"tag": tag[:60]}
            )
    return tags


def _executor(value: Any) -> str:
    names = list(console_settings.executors)
    if value not in names:
        raise InvalidInput(
            gettext("There is no executor “%(value)s”. Configured are: %(names)s.")
            % {"value": str(value)[:60], "names": ", ".join(names)}
        )
    return str(value)


# Whether the executor has queues is not asked: where an alias is another kind of executor, as on a developer's machine,
# the same jobs are to be imported and to run.
def _queue(value: Any) -> str:
    name = _name(value)
    if name and not _QUEUE.fullmatch(name):
        raise InvalidInput(
            gettext("“%(name)s” is not the name of a queue. Use up to 64 letters, digits, - . _ : or +.")
            % {"name": name[:60]}
        )
    return name


def _priority(value: Any) -> int:
    return _number(-MAX_PRIORITY, MAX_PRIORITY)(value) or 0 if value not in (None, "") else 0


def _group(value: Any) -> str:
    name = _name(value).lower()
    if name and not _GROUP.fullmatch(name):
        raise InvalidInput(
            gettext("“%(name)s” is not the name of a group. Use up to 64 letters, digits, spaces, - . _ : or +.")
            % {"name": name[:60]}
        )
    return name


def _name(value: Any) -> str:
    """Return a name that may be left out; “none” is what a table's cell says for that."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(gettext("Give text."))
    name = _storable(value.strip())
    return "" if name.lower() == "none" else name


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "yes", "on", "1"}:
        return True
    if isinstance(value, str) and value.strip().lower() in {"false", "no", "off", "0"}:
        return False
    raise InvalidInput(gettext("Give true or false."))


@cache
def _number(
    least: int, most: int, *, optional: bool = False, none_means: StrOrPromise = "", is_year: bool = False
) -> Callable[[Any], int | None]:
    def convert(value: Any) -> int | None:
        if optional and value in (None, ""):
            return None
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,12}\s*", value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            bounds = (str(least), str(most)) if is_year else (f"{least:,}", f"{most:,}")
            raise InvalidInput(_wanted_number(*bounds, none_means if optional else ""))
        return value

    return convert


def _wanted_number(least: str, most: str, none_means: StrOrPromise) -> str:
    bounds = {"least": least, "most": most}
    if none_means:
        text = gettext("Give a whole number from %(least)s to %(most)s, or nothing (%(meaning)s).")
        return text % {**bounds, "meaning": none_means}
    return gettext("Give a whole number from %(least)s to %(most)s.") % bounds


#: The converters of single fields, for whatever else is described by a document.
as_text, as_tags, as_boolean, as_number, as_group = _text, _tags, _boolean, _number, _group
