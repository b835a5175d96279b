"""Which functions ``@job`` takes, and how they are found."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from django.apps import AppConfig, apps

from app_scheduler.exceptions import UnknownFunction
from app_scheduler.registry import OPTIONS, Registry, job, registry

HERE = __name__
#: By its name in sys.modules, as the package may have an attribute of the same name.
REGISTRY_MODULE = sys.modules[Registry.__module__]


def plain(days: int = 30) -> int:
    """Return the days.

    As they are.
    """
    return days


def plain_too() -> None:
    pass


def dated(day: date) -> None:
    pass


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


async def coroutine() -> None:
    pass


nameless = lambda: None  # noqa: E731


class Holder:
    def method(self) -> None:
        pass

    @staticmethod
    def static() -> None:
        pass

    @classmethod
    def of_class(cls) -> None:
        pass


def nested() -> Any:
    def inner() -> None: ...

    return inner


def careless(func: Any) -> Any:
    def inner() -> Any:
        return func()

    return inner


def careful(func: Any) -> Any:
    @functools.wraps(func)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return inner


@pytest.fixture
def functions() -> Registry:
    """Return an empty registry that imports nothing."""
    empty = Registry()
    empty._discovered = True
    return empty


class TestDecorator:
    def test_it_returns_the_function_unchanged(self, functions: Registry) -> None:
        assert functions.job(plain) is plain
        assert functions.job(name="x")(plain) is plain
        assert functions.job()(plain) is plain
        assert plain(5) == 5

    def test_it_registers_under_the_dotted_name(self, functions: Registry) -> None:
        functions.job(plain)
        assert functions.names() == [f"{HERE}.plain"]
        assert functions.get(f"{HERE}.plain").func is plain

    def test_the_shared_decorator_registers_in_the_shared_registry(self) -> None:
        assert job == registry.job

    def test_it_keeps_the_options_as_given(self, functions: Registry) -> None:
        trigger = {"type": "nonsense"}
        functions.job(trigger=trigger, timeout=-1)(plain)
        assert functions.get(f"{HERE}.plain").options == {"trigger": trigger, "timeout": -1}

    @pytest.mark.parametrize(
        ("func", "message"),
        [
            pytest.param(nameless, "lambda", id="lambda"),
            pytest.param(nested(), "made inside another function", id="nested"),
            pytest.param(careless(plain), "functools.wraps", id="unnamed_wrapper"),
            pytest.param(Holder.method, "method", id="method"),
            pytest.param(Holder().method, "method", id="bound_method"),
            pytest.param(Holder.static, "method", id="static"),
            pytest.param(Holder.of_class, "method", id="class_method"),
            pytest.param(Holder.__dict__["static"], "method", id="staticmethod"),
            pytest.param(Holder, "plain function", id="class"),
            pytest.param(functools.partial(plain), "plain function", id="partial"),
            pytest.param(print, "plain function", id="builtin"),
            pytest.param(5, "plain function", id="number"),
            pytest.param(generator, "generator", id="generator"),
            pytest.param(async_generator, "generator", id="async_generator"),
            pytest.param("0 3 * * *", r"@job\(trigger='0 3 \* \* \*'\)", id="text"),
        ],
    )
    def test_it_refuses_what_cannot_be_scheduled(self, functions: Registry, func: Any, message: str) -> None:
        with pytest.raises(TypeError, match=message):
            functions.job(func)
        assert functions.names() == []

    def test_it_takes_a_function_whose_decorator_keeps_its_name(self, functions: Registry) -> None:
        functions.job(careful(plain))
        assert functions.get(f"{HERE}.plain").signature.parameters[0].name == "days"

    def test_it_takes_coroutine_functions(self, functions: Registry) -> None:
        functions.job(coroutine)
        functions.job(plain)
        assert functions.get(f"{HERE}.coroutine").is_async
        assert not functions.get(f"{HERE}.plain").is_async

    def test_an_unknown_option_is_named_with_the_nearest_and_all_that_exist(self, functions: Registry) -> None:
        with pytest.raises(TypeError) as caught:
            functions.job(**{"triger": "every 1h"})  # type: ignore[call-overload]
        assert "no option “triger”. Did you mean “trigger”?" in str(caught.value)
        assert all(option in str(caught.value) for option in OPTIONS)

    def test_the_options_are_a_documents_fields_without_the_function(self) -> None:
        assert set(OPTIONS) == {
            *("id", "name", "description", "tags", "trigger", "args", "kwargs", "executor", "coalesce"),
            *("queue", "priority", "concurrency_group"),
            *("max_instances", "misfire_grace_time", "timeout", "max_retries", "retry_backoff"),
            *("rerun_if_interrupted", "paused"),
        }

    def test_registering_again_replaces(self, functions: Registry) -> None:
        functions.job(timeout=1)(plain)
        functions.job(timeout=2)(plain)
        assert functions.get(f"{HERE}.plain").options == {"timeout": 2}
        assert len(functions.all()) == 1

    def test_options_cannot_be_changed_afterwards(self, functions: Registry) -> None:
        options: Any = functions.register(plain, timeout=1).options
        with pytest.raises(TypeError):
            options["timeout"] = 2


class TestLookUp:
    def test_both_notations_of_a_name_are_understood(self, functions: Registry) -> None:
        registered = functions.register(plain)
        assert functions.get(f"{HERE}:plain") is registered
        assert functions.find(f"{HERE}.plain") is registered

    def test_an_unknown_name_is_refused_with_what_may_be_meant(self, functions: Registry) -> None:
        functions.register(plain)
        assert functions.find("other.module.plain") is None
        for name in ("other.module.plain", f"{HERE}.plian", f"{HERE}:plan"):
            with pytest.raises(UnknownFunction, match=f"Did you mean {HERE}.plain?"):
                functions.get(name)

    def test_nothing_is_suggested_for_what_is_like_nothing(self, functions: Registry) -> None:
        functions.register(plain)
        with pytest.raises(UnknownFunction) as caught:
            functions.get("os.system")
        assert "Did you mean" not in str(caught.value)

    def test_callables_are_found(self, functions: Registry) -> None:
        registered = functions.register(plain)
        assert functions.for_callable(plain) is registered
        assert functions.for_callable(plain_too) is None
        assert functions.for_callable(print) is None
        assert functions.for_callable(functools.partial(plain)) is None
        assert functions.for_callable(None) is None

    def test_lists_are_sorted_by_name(self, functions: Registry) -> None:
        functions.register(plain_too, trigger="every 1h")
        functions.register(plain)
        functions.register(coroutine, trigger=None)
        assert functions.names() == [f"{HERE}.coroutine", f"{HERE}.plain", f"{HERE}.plain_too"]
        assert [function.func for function in functions.all()] == [coroutine, plain, plain_too]
        assert [function.func for function in functions.scheduled()] == [plain_too]


class TestRegisteredFunction:
    def test_it_tells_what_the_docstring_says(self, functions: Registry) -> None:
        registered = functions.register(plain)
        assert (registered.summary, registered.description) == ("Return the days.", "As they are.")

    def test_its_signature_is_worked_out_once(self, functions: Registry) -> None:
        registered = functions.register(plain)
        assert registered.signature is registered.signature

    def test_it_can_be_compared_and_collected(self, functions: Registry) -> None:
        assert len({functions.register(plain, tags=["a"]), functions.register(plain, tags=["a"])}) == 1

    def test_a_function_outside_of_every_app_has_no_app(self, functions: Registry) -> None:
        func = functions.register(plain)
        with mock.patch.object(apps, "get_containing_app_config", return_value=None):
            assert func.app_label == ""

    def test_a_function_of_an_app_has_its_label(self, functions: Registry) -> None:
        func = functions.register(plain)
        config = SimpleNamespace(label="poker")
        with mock.patch.object(apps, "get_containing_app_config", return_value=config):
            assert func.app_label == "poker"

    def test_the_document_of_its_schedule_is_the_options_with_an_id_and_a_name(self, functions: Registry) -> None:
        registered = functions.register(plain_too, trigger="0 3 * * *", tags=["a"])
        assert registered.has_schedule
        assert registered.default_document() == {
            "id": "plain-too",
            "name": "Plain too",
            "description": "",
            "function": f"{HERE}.plain_too",
            "trigger": "0 3 * * *",
            "tags": ["a"],
        }

    def test_what_is_given_goes_before_what_is_made_up(self, functions: Registry) -> None:
        document = functions.register(plain, trigger="x", id="i", name="n", description="d").default_document()
        assert (document["id"], document["name"], document["description"]) == ("i", "n", "d")

    def test_the_docstring_is_the_description(self, functions: Registry) -> None:
        assert functions.register(plain, trigger="x").default_document()["description"] == "Return the days."

    def test_python_values_among_the_arguments_become_json(self, functions: Registry) -> None:
        registered = functions.register(dated, trigger="x", args=[date(2026, 1, 31)])
        assert registered.default_document()["args"] == ["2026-01-31"]
        assert registered.options["args"] == [date(2026, 1, 31)]

    def test_wrong_arguments_are_left_for_the_check(self, functions: Registry) -> None:
        for args in ([1, 2, 3], None, 5):
            assert functions.register(dated, trigger="x", args=args).default_document()["args"] == args

    def test_changing_the_document_does_not_change_the_options(self, functions: Registry) -> None:
        registered = functions.register(plain, trigger={"type": "cron"})
        registered.default_document()["trigger"]["type"] = "date"
        assert registered.options["trigger"] == {"type": "cron"}

    def test_without_a_trigger_there_is_no_document(self, functions: Registry) -> None:
        registered = functions.register(plain, name="x")
        assert not registered.has_schedule
        with pytest.raises(ValueError, match="has no trigger"):
            registered.default_document()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the name of an empty package that can be imported."""
    name = f"shelf_{abs(hash(request.node.nodeid))}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


@pytest.fixture
def shelf(package: str, tmp_path: Path) -> Any:
    """Return a maker of apps: ``shelf(first="source of its jobs.py", second=None)`` installs two."""

    def make(functions: Registry, **sources: str | None) -> list[AppConfig]:
        configs = []
        for app, source in sources.items():
            directory = tmp_path / package / app
            directory.mkdir()
            (directory / "__init__.py").touch()
            if source is not None:
                (directory / "jobs.py").write_text(f"import sys\nr = sys.modules['app_scheduler.registry']\n{source}")
            importlib.invalidate_caches()
            configs.append(AppConfig(f"{package}.{app}", importlib.import_module(f"{package}.{app}")))
        return configs

    return make


class TestDiscovery:
    @pytest.fixture
    def fresh(self, monkeypatch: pytest.MonkeyPatch) -> Registry:
        """Return a registry to which the module's own decorator leads for now."""
        fresh = Registry()
        monkeypatch.setattr(REGISTRY_MODULE, "job", fresh.job)
        monkeypatch.setattr(REGISTRY_MODULE, "registry", fresh)
        return fresh

    @staticmethod
    def install(monkeypatch: pytest.MonkeyPatch, configs: list[AppConfig]) -> mock.Mock:
        listed = mock.Mock(return_value=configs)
        monkeypatch.setattr(apps, "get_app_configs", listed)
        return listed

    def test_it_imports_the_jobs_of_every_app_once(
        self, fresh: Registry, shelf: Any, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listed = self.install(monkeypatch, shelf(fresh, a="@r.job\ndef one(): ...", b=None, c="@r.job\ndef two(): ..."))
        assert fresh.names() == [f"{package}.a.jobs.one", f"{package}.c.jobs.two"]
        fresh.get(f"{package}.a.jobs.one")
        assert listed.call_count == 1
        assert fresh.import_errors == {}

    def test_a_module_that_fails_is_logged_and_noted_and_the_others_go_on(
        self,
        fresh: Registry,
        shelf: Any,
        package: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        broken = "@r.job\ndef early(): ...\nimport a_module_that_is_not_there"
        self.install(
            monkeypatch,
            shelf(fresh, a=broken, b="@r.job\ndef two(): ...", c="raise SystemExit(3)", d="def broken(:"),
        )
        with caplog.at_level(logging.ERROR, "app_scheduler.registry"):
            assert fresh.names() == [f"{package}.b.jobs.two"]
        assert fresh.import_errors[f"{package}.a.jobs"] == (
            "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"
        )
        assert set(fresh.import_errors) == {f"{package}.{app}.jobs" for app in "acd"}
        assert {record.levelname for record in caplog.records} == {"ERROR"}
        assert len(caplog.records) == 3
        assert all(record.exc_info for record in caplog.records)

    def test_a_function_of_a_module_that_failed_is_unknown_with_the_reason(
        self, fresh: Registry, shelf: Any, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.install(monkeypatch, shelf(fresh, a="1 / 0"))
        with pytest.raises(UnknownFunction) as caught:
            fresh.get(f"{package}.a.jobs.one")
        assert caught.value.errors["function"][1] == (
            f"{package}.a.jobs could not be imported: ZeroDivisionError: division by zero. Correct it and restart."
        )

    def test_nothing_is_imported_while_the_apps_are_loading(
        self, fresh: Registry, shelf: Any, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.install(monkeypatch, shelf(fresh, a="@r.job\ndef one(): ..."))
        fresh.register(plain)
        with mock.patch.object(apps, "ready", False):
            assert fresh.names() == [f"{HERE}.plain"]
        assert len(fresh.names()) == 2

    def test_a_module_may_ask_for_functions_while_it_is_imported(
        self, fresh: Registry, shelf: Any, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.install(monkeypatch, shelf(fresh, a="@r.job\ndef one(): ...\nknown = r.registry.names()"))
        fresh.discover()
        assert sys.modules[f"{package}.a.jobs"].known == [f"{package}.a.jobs.one"]

    def test_threads_that_ask_at_once_all_see_everything(
        self, fresh: Registry, shelf: Any, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slow = "import time\ntime.sleep(0.1)\n@r.job\ndef one(): ..."
        listed = self.install(monkeypatch, shelf(fresh, a=slow))
        seen: list[list[str]] = []
        threads = [threading.Thread(target=lambda: seen.append(fresh.names())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert seen == [[f"{package}.a.jobs.one"]] * 8
        assert listed.call_count == 1

    def test_a_reloaded_module_replaces_its_functions(
        self, fresh: Registry, shelf: Any, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.install(monkeypatch, shelf(fresh, a="@r.job\ndef one(): ..."))
        fresh.discover()
        module: ModuleType = sys.modules[f"{package}.a.jobs"]
        before = module.one
        importlib.reload(module)
        assert module.one is not before
        assert fresh.get(f"{package}.a.jobs.one").func is module.one
        found = fresh.for_callable(before)
        assert found is not None
        assert found.func is module.one
