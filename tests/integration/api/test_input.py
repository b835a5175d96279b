"""Whatever is sent, the answer says what to change: always a 4xx, never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from app_scheduler.api import parsers
from app_scheduler.models import JobSpec

from .conftest import JobMaker

DEEP = "[" * 200 + "]" * 200
VERY_DEEP = "[" * 100_000 + "]" * 100_000
DEEP_OBJECT = '{"a":' * 5000 + "1" + "}" * 5000
POSTS = [
    "/api/jobs/",
    "/api/jobs/adder/run/",
    "/api/jobs/adder/pause/",
    "/api/jobs/adder/resume/",
    "/api/executions/1/retry/",
    "/api/failures/acknowledge/",
    "/api/failures/snooze/",
    "/api/failures/reopen/",
    "/api/failures/retry/",
    "/api/triggers/preview/",
    "/api/scheduler/pause/",
    "/api/scheduler/resume/",
]


def send(client: APIClient, method: str, address: str, body: bytes, content_type: str = "application/json") -> Any:
    return client.generic(method, address, body, content_type)  # type: ignore[arg-type]  # bytes are what it sends


@pytest.mark.parametrize("address", POSTS)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "line 1, column 2"),
        (b"{'a': 1}", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b'"\xc3"', "not UTF-8"),
        (b"", ""),
        (b"[]", "JSON object"),
        (b'"text"', "JSON object"),
        (b"null", "JSON object"),
        (b"5", "JSON object"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b'{"a": 1e999}', "1e999 is not a number"),
        (b'{"a": 1, "a": 2}', "given twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "4,300 digits"),
        (DEEP.encode(), "nested"),
        (VERY_DEEP.encode(), "nested"),
        (DEEP_OBJECT.encode(), "nested"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b"\x00", "not JSON"),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_malformed_bodies(client: APIClient, make_job: JobMaker, address: str, body: bytes, says: str) -> None:
    make_job()

    response = send(client, "POST", address, body)

    assert 400 <= response.status_code < 500 or (not body and response.status_code in {200, 202})
    if says and response.status_code == 400:
        assert says in str(response.json())
    assert JobSpec.objects.count() == 1


def test_a_byte_order_mark_is_no_fault(client: APIClient) -> None:
    assert send(client, "POST", "/api/triggers/preview/", b'\xef\xbb\xbf{"trigger": "every 1h"}').status_code == 200


@pytest.mark.parametrize("size", [parsers.MAX_BYTES + 1, 20 * 1024 * 1024])
def test_a_huge_body_is_not_read(client: APIClient, size: int) -> None:
    response = send(client, "POST", "/api/jobs/", b'{"name": "' + b"x" * size + b'"}')

    assert response.status_code == 413
    assert "1,048,576 bytes" in response.json()["detail"]


def test_a_body_in_chunks_is_not_taken_for_an_empty_one(client: APIClient, make_job: JobMaker) -> None:
    make_job()

    response = client.post("/api/jobs/adder/run/", headers={"transfer-encoding": "chunked"}, CONTENT_LENGTH="")

    assert response.status_code == 411
    assert "Content-Length" in response.json()["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "nonsense"])
def test_other_content_types_are_refused(client: APIClient, kind: str) -> None:
    response = send(client, "POST", "/api/jobs/", b'{"id": "x"}', kind)

    assert response.status_code == 415
    assert "application/json" in response.json()["detail"]


def test_a_form_is_refused(client: APIClient) -> None:
    response = send(client, "POST", "/api/jobs/", b"id=x", "application/x-www-form-urlencoded")

    assert response.status_code == 415


def test_other_formats_are_not_answered(client: APIClient) -> None:
    assert client.get("/api/jobs/", headers={"accept": "application/xml"}).status_code == 406
    assert client.get("/api/jobs/", headers={"accept": "text/html,*/*;q=0.8"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "%00", "a%00b", "%25", "%", "%zz", "%ff", "%ED%A0%80", "..", ".", "%2e%2e", "a%0Ab", "%F0%9F%92%A9",
        "'; DROP TABLE", '"', "x" * 3000, "<script>", "{id}", "None",
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["", "run/", "pause/", "resume/", "upcoming/", "explain/?at=2026-11-20"])
def test_odd_addresses_are_not_found(client: APIClient, path: str, verb: str) -> None:
    address = f"/api/jobs/{path}/{verb}"
    response = client.post(address) if verb in {"run/", "pause/", "resume/"} else client.get(address)

    assert response.status_code in {404, 405}
    assert "detail" in response.json()


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("put", "jobs/"),
        ("delete", "executions/1/"),
        ("get", "jobs/x/run/"),
        ("post", "functions/"),
        ("get", "triggers/preview/"),
    ],
)
def test_methods_that_are_not_served(client: APIClient, method: str, address: str) -> None:
    response = getattr(client, method)(f"/api/{address}")

    assert response.status_code == 405
    assert "not allowed" in response.json()["detail"]


class TestAddresses:
    def test_an_unknown_one_is_not_found_as_json(self, client: APIClient) -> None:
        for address in ("/api/nothing/", "/api/jobs/a/b/c/", "/api/v1", "/api/jobs/x/skip-nothing/", "/api/a%0Ab"):
            response = client.post(address, {})
            assert response.status_code == 404
            assert "/api/ lists" in response.json()["detail"]

    def test_without_its_slash_it_leads_there_with_method_and_body(self, client: APIClient) -> None:
        for method in (client.get, client.post, client.patch):
            response = method("/api/jobs?state=paused")
            assert response.status_code == 308
            assert response["Location"] == "/api/jobs/?state=paused"

    def test_the_index_lists_them(self, client: APIClient) -> None:
        index = client.get("/api/").json()

        assert index["jobs"] == "http://testserver/api/jobs/"
        for address in index.values():
            assert client.get(address).status_code in {200, 405}


def test_too_many_parameters_are_refused(client: APIClient) -> None:
    response = client.get("/api/jobs/?" + "&".join(f"a{number}=1" for number in range(2000)))

    assert response.status_code == 400
    assert "non_field_errors" in response.json()


# --- anything at all ----------------------------------------------------------------------------------------------

WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["adder", "every 1h", "0 3 * * *", "tests.probe.jobs.add", "2026-12-01", "••••••", "\x00", "yes"]),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(allow_nan=True, allow_infinity=True),
    WORDS,
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)


def odd(names: str) -> dict[str, st.SearchStrategy[Any]]:
    return dict.fromkeys(names.split(), ANYTHING)


KINDS = st.sampled_from(["interval", "cron", "date", "calendar", "any"])
TRIGGERS = st.one_of(
    ANYTHING,
    st.fixed_dictionaries(
        {"type": st.one_of(KINDS, ANYTHING)},
        optional=odd(
            "weeks days hours minutes seconds start_date end_date timezone jitter year month day hour expression "
            "run_date years months triggers"
        ),
    ),
)
DOCUMENTS = st.one_of(
    ANYTHING,
    st.fixed_dictionaries(
        {
            "function": st.one_of(st.just("tests.probe.jobs.add"), ANYTHING),
            "trigger": st.one_of(st.just("@daily"), TRIGGERS),
        },
        optional=odd(
            "id name description tags args kwargs executor queue priority concurrency_group coalesce max_instances "
            "misfire_grace_time timeout max_retries retry_backoff rerun_if_interrupted paused revision "
            "replace_existing next_run_time state"
        ),
    ),
)
CALLS = st.one_of(ANYTHING, st.fixed_dictionaries({}, optional=odd("args kwargs reason until note")))
MOMENTS = st.one_of(ANYTHING, st.datetimes().map(str))
PREVIEWS = st.one_of(
    ANYTHING,
    st.fixed_dictionaries({"trigger": TRIGGERS}, optional={**odd("count"), "after": MOMENTS}),
)
PARAMETERS = [
    "job",
    "status",
    "since",
    "until",
    "origin",
    "fields",
    "page",
    "page_size",
    "state",
    "tag",
    "search",
    "count",
    "at",
    "ordering",
    "function",
    "trigger_type",
    "last_status",
    "format",
    "lang",
]
LISTS = [
    "jobs/",
    "executions/",
    "functions/",
    "jobs/adder/",
    "executions/1/",
    "jobs/adder/upcoming/",
    "jobs/adder/explain/",
]


def fuzz(client: APIClient, method: str, address: str, body: Any) -> None:
    response = send(client, method, address, json.dumps(body).encode())
    assert response.status_code < 500, (address, body, response.content)
    if response.status_code == 400:
        assert all(path and messages for path, messages in response.json().items())


FUZZ = settings(max_examples=75, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(body=DOCUMENTS)
@example(body={"function": "tests.probe.jobs.add", "trigger": "@daily", "kwargs": {"a": 10**400}})
@example(body={"function": "tests.probe.jobs.add", "trigger": "@daily", "name": "\ud800", "kwargs": {"a": 1}})
def test_creating_with_anything(client: APIClient, body: Any) -> None:
    fuzz(client, "POST", "/api/jobs/", body)


@FUZZ
@given(body=DOCUMENTS, method=st.sampled_from(["PUT", "PATCH"]))
def test_changing_with_anything(client: APIClient, make_job: JobMaker, body: Any, method: str) -> None:
    if not JobSpec.objects.filter(job_id="adder").exists():
        make_job()
    fuzz(client, method, "/api/jobs/adder/", body)


@FUZZ
@given(body=PREVIEWS)
def test_previewing_anything(client: APIClient, body: Any) -> None:
    fuzz(client, "POST", "/api/triggers/preview/", body)


@FUZZ
@given(body=CALLS, verb=st.sampled_from(["run", "pause", "resume"]))
def test_acting_with_anything(client: APIClient, make_job: JobMaker, body: Any, verb: str) -> None:
    if not JobSpec.objects.filter(job_id="adder").exists():
        make_job()
    fuzz(client, "POST", f"/api/jobs/adder/{verb}/", body)


@FUZZ
@given(
    query=st.dictionaries(
        st.sampled_from(PARAMETERS), st.one_of(WORDS, st.integers().map(str), st.datetimes().map(str))
    ),
    address=st.sampled_from(LISTS),
)
def test_asking_for_anything(client: APIClient, query: dict[str, str], address: str) -> None:
    response = client.get(f"/api/{address}", query)
    assert response.status_code < 500, (address, query, response.content)
