"""/api/schema/ and /api/docs/: the schema is complete, and true of what the API really answers."""

from __future__ import annotations

import json
from functools import lru_cache
from io import StringIO
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from app_scheduler import documents
from app_scheduler.models import JobSpec, Status

from .conftest import ExecutionMaker, JobMaker
from .test_jobs import BODY, TRIGGERS


def test_it_is_valid_and_generated_without_warnings() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_it_is_the_same_each_time() -> None:
    assert SchemaGenerator().get_schema(public=True) == SchemaGenerator().get_schema(public=True)


@lru_cache
def schema() -> dict[str, Any]:
    generated: dict[str, Any] = json.loads(json.dumps(SchemaGenerator().get_schema(public=True), default=str))
    return generated


def as_json_schema(part: Any) -> Any:
    """Return a schema of OpenAPI 3.0 as JSON Schema has it, which has no ``nullable``, and takes no other field."""
    if isinstance(part, list):
        return [as_json_schema(item) for item in part]
    if not isinstance(part, dict):
        return part
    converted = {key: as_json_schema(value) for key, value in part.items() if key not in {"nullable", "discriminator"}}
    if isinstance(part.get("properties"), dict):
        converted.setdefault("additionalProperties", False)
    return {"anyOf": [converted, {"type": "null"}]} if part.get("nullable") is True else converted


def check(response: Any, method: str, path: str) -> Any:
    """Hold an answer against what the schema says of it, and return its JSON."""
    described = schema()["paths"][path][method]["responses"][str(response.status_code)]
    if response.status_code == 204:
        assert "content" not in described
        return None
    content = described["content"]["application/json"]["schema"]
    whole = {**as_json_schema(content), "components": as_json_schema(schema()["components"])}
    whole["components"]["schemas"] = {
        name: as_json_schema(part) for name, part in schema()["components"]["schemas"].items()
    }
    jsonschema.Draft202012Validator(whole).validate(response.json())
    return response.json()


def test_each_operation_has_a_summary_a_security_and_its_errors() -> None:
    count = 0
    for path, operations in schema()["paths"].items():
        for method, operation in operations.items():
            count += 1
            assert operation["summary"], path
            assert operation["security"] == [{"tokenAuth": []}, {"cookieAuth": []}], path
            answers = set(operation["responses"])
            assert {"401", "403"} <= answers, path
            assert ("404" in answers) or "{id}" not in path, path
            if "requestBody" in operation:
                assert {"400", "413", "415"} <= answers, path
                example_of = operation["requestBody"]["content"]["application/json"]
                assert "examples" in example_of, path
            success = next(answer for code, answer in operation["responses"].items() if code.startswith("2"))
            if method != "delete":
                assert "examples" in success["content"]["application/json"], path
    assert count == 50
    assert {"tokenAuth", "cookieAuth"} <= set(schema()["components"]["securitySchemes"])


def test_examples_are_true() -> None:
    components = {name: as_json_schema(part) for name, part in schema()["components"]["schemas"].items()}
    for path, operations in schema()["paths"].items():
        for method, operation in operations.items():
            answers = [*operation["responses"].values(), operation.get("requestBody", {})]
            for content in (answer["content"]["application/json"] for answer in answers if "content" in answer):
                whole = {**as_json_schema(content["schema"]), "components": {"schemas": components}}
                for name, example in content.get("examples", {}).items():
                    try:
                        jsonschema.Draft202012Validator(whole).validate(example["value"])
                    except jsonschema.ValidationError as error:
                        pytest.fail(f"{method} {path}, example {name}: {error.message}")


def test_a_trigger_is_one_of_the_types() -> None:
    components = schema()["components"]["schemas"]
    mapping = components["Trigger"]["discriminator"]["mapping"]
    assert sorted(mapping.values()) == sorted(ref["$ref"] for ref in components["Trigger"]["oneOf"])
    assert set(mapping) == {"interval", "cron", "date", "calendar", "any"}
    assert {"$ref": "#/components/schemas/ScheduleExpression"} in components["TriggerRequest"]["oneOf"]
    assert components["Status"]["enum"] == Status.values


def test_a_document_has_the_fields_that_documents_have() -> None:
    components = schema()["components"]["schemas"]
    beside = {"revision", "run_past_at_once"}
    assert set(documents.FIELDS) == set(components["JobChangeRequest"]["properties"]) - beside
    assert set(documents.FIELDS) == set(components["NewJobRequest"]["properties"]) - beside - {"replace_existing"}
    assert set(components["NewJobRequest"]["required"]) == {"function", "trigger"}
    assert "required" not in components["PatchedJobChangeRequest"]
    assert set(components["Job"]["required"]) == set(components["Job"]["properties"])


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
def test_answers_about_jobs_are_as_described(client: APIClient, trigger: Any) -> None:
    job = check(client.post("/api/jobs/", {**BODY, "trigger": trigger}), "post", "/api/jobs/")
    address = "/api/jobs/nightly-cleanup/"
    check(client.get("/api/jobs/"), "get", "/api/jobs/")
    check(client.get(address), "get", "/api/jobs/{id}/")
    check(client.put(address, job), "put", "/api/jobs/{id}/")
    check(client.patch(address, {"name": "x"}), "patch", "/api/jobs/{id}/")
    check(client.patch(address, {"revision": 1}), "patch", "/api/jobs/{id}/")
    check(client.patch(address, {"function": 1}), "patch", "/api/jobs/{id}/")
    check(client.post(f"{address}pause/", {"reason": "x"}), "post", "/api/jobs/{id}/pause/")
    check(client.post(f"{address}resume/"), "post", "/api/jobs/{id}/resume/")
    check(client.get(f"{address}upcoming/"), "get", "/api/jobs/{id}/upcoming/")
    check(client.get(f"{address}explain/?at=2026-11-20T03:00"), "get", "/api/jobs/{id}/explain/")
    check(client.get(f"{address}explain/?at=x"), "get", "/api/jobs/{id}/explain/")
    check(client.post(f"{address}run/"), "post", "/api/jobs/{id}/run/")
    check(client.post("/api/triggers/preview/", {"trigger": trigger}), "post", "/api/triggers/preview/")
    check(client.delete(address), "delete", "/api/jobs/{id}/")
    check(client.delete(address), "delete", "/api/jobs/{id}/")


def test_answers_about_executions_are_as_described(
    client: APIClient, make_job: JobMaker, make_execution: ExecutionMaker
) -> None:
    make_job()
    failed = make_execution(status="Error!", exception="x", progress_done=1)
    make_execution(plain=True)
    make_execution(status="Missed!", started_at=None)
    queued = client.post("/api/jobs/adder/run/").json()["id"]
    check(client.get("/api/executions/"), "get", "/api/executions/")
    check(client.get("/api/executions/?fields=id,log"), "get", "/api/executions/")
    check(client.get("/api/executions/?since=x"), "get", "/api/executions/")
    check(client.get(f"/api/executions/{failed.pk}/"), "get", "/api/executions/{id}/")
    check(client.get("/api/executions/0/"), "get", "/api/executions/{id}/")
    for verb, pk in (("retry", failed.pk), ("acknowledge", failed.pk), ("cancel", queued), ("cancel", queued)):
        check(client.post(f"/api/executions/{pk}/{verb}/"), "post", f"/api/executions/{{id}}/{verb}/")


def test_answers_about_the_rest_are_as_described(client: APIClient, make_job: JobMaker) -> None:
    make_job()
    JobSpec.objects.update(last_status="Executed", last_execution_id=1)
    check(client.get("/api/jobs/"), "get", "/api/jobs/")
    check(client.get("/api/functions/"), "get", "/api/functions/")
    check(client.get("/api/upcoming/"), "get", "/api/upcoming/")
    check(client.get("/api/upcoming/?until=x"), "get", "/api/upcoming/")
    check(client.get("/api/scheduler/"), "get", "/api/scheduler/")
    check(client.post("/api/scheduler/pause/"), "post", "/api/scheduler/pause/")
    check(client.post("/api/scheduler/resume/"), "post", "/api/scheduler/resume/")
    check(APIClient().get("/api/jobs/"), "get", "/api/jobs/")
    check(client.generic("POST", "/api/jobs/", "x", "text/plain"), "post", "/api/jobs/")


class TestPages:
    def test_the_schema_comes_as_json_and_as_yaml(self, client: APIClient) -> None:
        as_json = client.get("/api/schema/")
        assert as_json["Content-Type"].startswith("application/json")
        as_yaml = client.get("/api/schema/", headers={"accept": "application/vnd.oai.openapi"})
        assert yaml.safe_load(as_yaml.content)["paths"].keys() == json.loads(as_json.content)["paths"].keys()

    def test_the_page_takes_its_scripts_from_this_site(self, client: APIClient) -> None:
        page = client.get("/api/docs/").content.decode()

        assert "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js" in page
        assert "//cdn" not in page

    @pytest.mark.django_db
    def test_strangers_see_neither(self) -> None:
        assert APIClient().get("/api/schema/").status_code == 401
        page = APIClient().get("/api/docs/")
        assert page.status_code == 302
        assert page["Location"] == "/admin/login/?next=/api/docs/"
