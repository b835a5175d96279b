"""The shipped job check_url, against a real server."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from pytest_django import Settings

from app_scheduler.jobs import check_url
from app_scheduler.maintenance.web import MAX_BYTES, UrlCheckFailed, UrlRefused

#: How long what does not answer keeps a caller without a timeout.
STALL_SECONDS = 20


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Host", "")))
        # The client may leave in the middle of an answer, which is what some of the tests are about.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            getattr(self, self.path.partition("?")[0].strip("/").split("/")[0] or "page")()

    def answer(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def page(self) -> None:
        self.answer("all is wéll".encode(), Content_Type="text/plain; charset=utf-8")

    def latin(self) -> None:
        self.answer("all is wéll".encode("latin-1"), Content_Type="text/plain; charset=latin-1")

    def gone(self) -> None:
        self.answer(b"gone", 410)

    def big(self) -> None:
        self.answer(b"x" * (MAX_BYTES + 1) + b"the end")

    def exact(self) -> None:
        self.answer(b"x" * MAX_BYTES)

    def endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65536)

    def chunked(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"in ", b"parts"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def torn(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"too little")

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.stopping.wait(0.05):
            self.wfile.write(b".")
            self.wfile.flush()

    def dripping_headers(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
        while not self.server.stopping.wait(0.05):
            self.wfile.write(b".")
            self.wfile.flush()

    def silent(self) -> None:
        self.server.stopping.wait(STALL_SECONDS)

    def garbage(self) -> None:
        self.wfile.write(b"this is not HTTP\r\n\r\n")

    def to(self) -> None:
        """Redirect, as /to/<status>?<location>, percent-encoded."""
        path, _, location = self.path.partition("?")
        self.answer(status=int(path.rsplit("/", 1)[1]), Location=unquote(location))

    def hops(self) -> None:
        left = int(self.path.rsplit("/", 1)[1])
        self.answer(b"arrived") if left == 0 else self.answer(status=302, Location=f"{left - 1}")

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that refuses the certificate


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


@pytest.fixture
def server(running: Server, settings: Settings) -> Server:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = ["127.0.0.1"]
    running.asked.clear()
    return running


def test_it_says_how_the_url_answered(server: Server) -> None:
    result = check_url(f"{server.url}/page?a=1", contains="wéll")
    assert result == {
        "status": 200,
        "milliseconds": result["milliseconds"],
        "bytes": 12,
        "truncated": False,
        "redirects": 0,
    }
    assert 0 <= result["milliseconds"] < 5000
    assert server.asked == [("/page?a=1", f"127.0.0.1:{server.server_port}")]


def test_a_text_is_looked_for_in_the_pages_own_character_set(server: Server) -> None:
    assert check_url(f"{server.url}/latin", contains="wéll")["bytes"] == 11


def test_a_text_that_is_not_there_is_an_error(server: Server) -> None:
    with pytest.raises(UrlCheckFailed, match="'all is lost' is not in its answer"):
        check_url(server.url, contains="all is lost")


def test_another_status_is_an_error_that_names_both(server: Server) -> None:
    with pytest.raises(UrlCheckFailed, match=r"/gone answered 410; 200 was expected"):
        check_url(f"{server.url}/gone")


def test_any_status_may_be_the_expected_one(server: Server) -> None:
    assert check_url(f"{server.url}/gone", expect_status=410)["status"] == 410


def test_an_answer_in_chunks_is_read(server: Server) -> None:
    assert check_url(f"{server.url}/chunked", contains="in parts")["bytes"] == 8


@pytest.mark.parametrize("path", ["big", "endless"])
def test_no_more_than_a_megabyte_is_read(server: Server, path: str) -> None:
    result = check_url(f"{server.url}/{path}")
    assert (result["bytes"], result["truncated"]) == (MAX_BYTES, True)


def test_a_megabyte_is_read_whole(server: Server) -> None:
    result = check_url(f"{server.url}/exact")
    assert (result["bytes"], result["truncated"]) == (MAX_BYTES, False)


def test_a_text_behind_the_first_megabyte_is_not_found_and_the_error_says_why(server: Server) -> None:
    with pytest.raises(UrlCheckFailed, match="not in the first 1,048,576 bytes"):
        check_url(f"{server.url}/big", contains="the end")


def test_an_answer_that_breaks_off_is_an_error(server: Server) -> None:
    with pytest.raises(UrlCheckFailed, match="IncompleteRead"):
        check_url(f"{server.url}/torn")


def test_an_answer_that_is_not_http_is_an_error(server: Server) -> None:
    with pytest.raises(UrlCheckFailed, match="BadStatusLine"):
        check_url(f"{server.url}/garbage")


@pytest.mark.parametrize("path", ["drip", "dripping_headers", "silent"])
def test_the_timeout_is_for_the_whole_answer(server: Server, path: str) -> None:
    began = time.monotonic()
    with pytest.raises(UrlCheckFailed, match=r"no complete answer within 0\.3 s"):
        check_url(f"{server.url}/{path}", timeout=0.3)
    assert time.monotonic() - began < STALL_SECONDS


def test_the_timeout_is_also_for_the_look_up_of_the_name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = ["slow.example"]
    answered = threading.Event()

    def wait(*args: Any, **options: Any) -> list[Any]:
        answered.wait(STALL_SECONDS)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    began = time.monotonic()
    try:
        with pytest.raises(UrlCheckFailed, match=r"no complete answer within 0\.2 s"):
            check_url("http://slow.example/", timeout=0.2)
        assert time.monotonic() - began < STALL_SECONDS
    finally:
        answered.set()


def test_an_address_that_does_not_answer_gives_way_to_the_next(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = ["two.example"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = closed.getsockname()
        live = ("127.0.0.1", server.server_port)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (dead, live)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
        assert check_url("http://two.example/page")["status"] == 200
    assert server.asked == [("/page", "two.example")]


def test_a_server_that_is_not_there_is_an_error(settings: Settings) -> None:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = ["127.0.0.1"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(UrlCheckFailed, match="ConnectionRefusedError"):
            check_url(f"http://127.0.0.1:{closed.getsockname()[1]}/")


def test_a_name_that_does_not_exist_is_an_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = [".example"]

    def fail(*args: Any, **options: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(UrlCheckFailed, match="Name or service not known"):
        check_url("http://nobody.example/")


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_a_name_that_no_host_can_have_is_an_error(settings: Settings, host: str) -> None:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = [".example"]
    with pytest.raises(UrlCheckFailed):
        check_url(f"http://{host}/", timeout=5)


# --- redirects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: Server, status: int) -> None:
    result = check_url(f"{server.url}/to/{status}?/page")
    assert (result["status"], result["redirects"]) == (200, 1)


def test_five_redirects_are_followed(server: Server) -> None:
    assert check_url(f"{server.url}/hops/5", contains="arrived")["redirects"] == 5


def test_the_sixth_redirect_is_an_error(server: Server) -> None:
    with pytest.raises(UrlCheckFailed, match="more than 5 redirects"):
        check_url(f"{server.url}/hops/6")
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/page",
        "//localhost:{port}/page",
        "http://user@127.0.0.1:{port}/page",
        "http://127.0.0.1:{port}\\@localhost/page",
        "file:///etc/passwd",
        "ftp://127.0.0.1/page",
        "http://[::1",
        "http://127.0.0.1:{port}/a\tb",
    ],
)
def test_a_redirect_to_what_may_not_be_asked_is_refused(server: Server, location: str) -> None:
    with pytest.raises(UrlRefused, match="redirects to where it may not lead"):
        check_url(f"{server.url}/to/302?{quote(location.format(port=server.server_port))}")
    assert len(server.asked) == 1


def test_a_redirect_that_is_expected_is_not_followed(server: Server) -> None:
    result = check_url(f"{server.url}/to/301?http://elsewhere.example/", expect_status=301)
    assert (result["status"], result["redirects"]) == (301, 0)


def test_the_timeout_is_for_all_redirects_together(server: Server) -> None:
    began = time.monotonic()
    with pytest.raises(UrlCheckFailed, match="no complete answer"):
        check_url(f"{server.url}/to/302?/drip", timeout=0.3)
    assert time.monotonic() - began < STALL_SECONDS


# --- what may be asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://127.0.0.1/", "does not begin with http"),
        ("file:///etc/passwd", "does not begin with http"),
        ("//127.0.0.1/", "does not begin with http"),
        ("127.0.0.1/", "does not begin with http"),
        ("", "does not begin with http"),
        ("http://", "names no host"),
        ("http:///page", "names no host"),
        ("http://user:hunter22@127.0.0.1/", "user name or a password"),
        ("http://@127.0.0.1/", "user name or a password"),
        ("http://127.0.0.1:99999/", "cannot be read"),
        ("http://127.0.0.1:0/", "port is 0"),
        ("http://[::1/", "cannot be read"),
        ("http://127.0.0.1/a b", "a space"),
        ("http://127.0.0.1/\r\nX: y", "control character"),
        ("http://127.0.0.1\\@localhost/", "backslash"),
        ("http://127.0.0.1\t.example/", "control character"),
        ("http://１２７.0.0.1/", "beyond ASCII"),
        ("http://localhost/", "'localhost' may not be asked. Allowed are: 127.0.0.1"),
        ("http://127.0.0.1.example/", "may not be asked"),
        ("http://2130706433/", "may not be asked"),
        ("http://0x7f.1/", "may not be asked"),
    ],
)
def test_any_other_url_is_refused_with_the_reason(server: Server, url: str, why: str) -> None:
    with pytest.raises(UrlRefused) as refusal:
        check_url(url)
    assert why in str(refusal.value)
    assert "hunter22" not in str(refusal.value)
    assert server.asked == []


@pytest.mark.parametrize("url", ["http://example.com/", "http://A.EXAMPLE.com/", "http://a.b.example.com./"])
def test_a_leading_dot_admits_the_domain_and_its_subdomains(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = [".Example.com"]
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.server_port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: [here])
    assert check_url(url)["status"] == 200


@pytest.mark.parametrize("hosts", [(), ("example.com",), ("*",), ("",)])
def test_nothing_else_is_admitted(settings: Settings, hosts: tuple[str, ...]) -> None:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = hosts
    for host in ("a.example.com", "notexample.com", "example.com.evil.example"):
        with pytest.raises(UrlRefused, match="APP_SCHEDULER_ALLOWED_URL_HOSTS"):
            check_url(f"http://{host}/")


def test_messages_leave_the_query_out(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), pytest.raises(UrlCheckFailed) as failure:
        check_url(f"{server.url}/gone?token=hunter22")
    assert "hunter22" not in f"{failure.value}{caplog.text}"
    assert server.asked[0][0] == "/gone?token=hunter22"


def test_characters_beyond_ascii_are_encoded_and_what_is_encoded_stays(server: Server) -> None:
    check_url(f"{server.url}/page/ü%2F?ä=%20#part")
    assert server.asked[0][0] == "/page/%C3%BC%2F?%C3%A4=%20"


def test_the_environments_proxy_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    assert check_url(server.url)["status"] == 200


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 301])
def test_a_timeout_that_is_none_is_refused(server: Server, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        check_url(server.url, timeout=timeout)


@pytest.mark.parametrize("status", [0, 99, 600])
def test_a_status_that_is_none_is_refused(server: Server, status: int) -> None:
    with pytest.raises(ValueError, match="expect_status"):
        check_url(server.url, expect_status=status)


# --- https ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for "localhost" that nobody has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    key = path.with_name("key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


@pytest.fixture
def secure(certificate: Path, settings: Settings) -> Iterator[str]:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = ["localhost", "127.0.0.1"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server()
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server):
        yield f"https://localhost:{server.server_port}"


def test_https_is_asked(secure: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert check_url(f"{secure}/page", contains="all is")["status"] == 200
    with pytest.raises(UrlCheckFailed, match="no complete answer"):
        check_url(f"{secure}/drip", timeout=0.5)


def test_a_certificate_that_nobody_trusts_is_an_error(secure: str) -> None:
    with pytest.raises(UrlCheckFailed, match="CERTIFICATE_VERIFY_FAILED"):
        check_url(secure)


def test_a_certificate_for_another_name_is_an_error(
    secure: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(UrlCheckFailed, match="CERTIFICATE_VERIFY_FAILED"):
        check_url(secure.replace("localhost", "127.0.0.1"))


def test_the_timeout_is_also_for_the_handshake(settings: Settings) -> None:
    settings.APP_SCHEDULER_ALLOWED_URL_HOSTS = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        with pytest.raises(UrlCheckFailed, match="no complete answer"):
            check_url(f"https://127.0.0.1:{mute.getsockname()[1]}/", timeout=0.2)
        assert time.monotonic() - began < STALL_SECONDS
