"""Asking a URL whether it answers as it should, without letting it, or whoever typed it, reach anything else.

Which hosts may be asked is decided by name, by the settings. An allowed name is asked wherever DNS says that it is,
also inside the own network: checking an internal service is the purpose. Proxies of the environment are not used.
"""

from __future__ import annotations

import http.client
import io
import logging
import math
import queue
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from django.utils.http import is_same_domain

from app_scheduler.conf import console_settings
from app_scheduler.exceptions import ConsoleError

logger = logging.getLogger(__name__)

SETTING = "APP_SCHEDULER_ALLOWED_URL_HOSTS"
MAX_BYTES = 1024 * 1024
MAX_REDIRECTS = 5
MAX_TIMEOUT = 300.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
HEADERS = {
    "User-Agent": "app-scheduler-check-url",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
#: What stays as it is in a path and a query: percent signs, and what RFC 3986 reserves.
SAFE = "%/:?#[]@!$&'()*+,;=~"


class UrlRefused(ConsoleError):
    """The URL may not be asked."""


class UrlCheckFailed(ConsoleError):
    """The URL did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` holds at most `MAX_BYTES`; ``truncated`` says that there was more."""

    status: int
    body: bytes
    truncated: bool
    milliseconds: int
    redirects: int


class Deadline:
    """A moment by which everything has to be done, name look-ups, handshakes and redirects included."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left. Raises ``TimeoutError`` where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def check_url(url: str, expect_status: int, timeout: float, contains: str) -> Answer:
    """Ask ``url`` and return its answer, if that is the expected one. Raises ``UrlRefused`` or ``UrlCheckFailed``."""
    if not 100 <= expect_status <= 599:
        raise ValueError(f"expect_status is {expect_status}. Give an HTTP status between 100 and 599.")
    if not (math.isfinite(timeout) and 0 < timeout <= MAX_TIMEOUT):
        raise ValueError(f"timeout is {timeout:g}. Give seconds, more than 0 and at most {MAX_TIMEOUT:g}.")
    target = _allowed(url)
    shown = _shown(target)
    try:
        answer, charset = _ask(target, Deadline(timeout), follow=expect_status not in REDIRECTS)
    except TimeoutError as error:
        raise UrlCheckFailed(f"{shown} gave no complete answer within {timeout:g} s.") from error
    except (OSError, http.client.HTTPException) as error:
        raise UrlCheckFailed(f"{shown}: {type(error).__name__}: {error}") from error
    logger.info("%s answered %d with %d bytes in %d ms", shown, answer.status, len(answer.body), answer.milliseconds)
    if answer.status != expect_status:
        raise UrlCheckFailed(f"{shown} answered {answer.status}; {expect_status} was expected.")
    if contains and _encoded(contains, charset) not in answer.body:
        where = f"the first {MAX_BYTES:,} bytes of its answer" if answer.truncated else "its answer"
        raise UrlCheckFailed(f"{shown}: the text {contains[:100]!r} is not in {where}.")
    return answer


def _allowed(url: str) -> SplitResult:
    """Return the parts of a URL that may be asked, or raise ``UrlRefused``."""
    _check_characters(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UrlRefused(f"The URL cannot be read: {error}.") from None
    if parts.scheme not in ("http", "https"):
        raise UrlRefused("The URL does not begin with http:// or https://. Nothing else is asked.")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("The URL holds a user name or a password, which pages would show. Remove them.")
    if not host:
        raise UrlRefused("The URL names no host. Write it as https://host/path.")
    if not host.isascii():
        raise UrlRefused("The URL's host has characters beyond ASCII. Write it in its form that begins with xn--.")
    if port == 0:
        raise UrlRefused("The URL's port is 0. Leave it out, or give the one that the server listens on.")
    hosts = [name.lower() for name in console_settings.allowed_url_hosts]
    if not any(is_same_domain(host.rstrip("."), name) for name in hosts):
        listed = ", ".join(hosts) or "none"
        raise UrlRefused(
            f"The host {host!r} may not be asked. Allowed are: {listed}. To allow it, add it to {SETTING}."
        )
    return parts


def _check_characters(url: str) -> None:
    # Parsers disagree about exactly these, and a host that is checked must be the host that is asked.
    if any(character <= " " or character in "\\\x7f" for character in url):
        raise UrlRefused("The URL holds a space, a backslash or a control character. Percent-encode it.")


def _shown(parts: SplitResult) -> str:
    """Return the URL for messages, without its query, in which tokens are often passed."""
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _encoded(text: str, charset: str) -> bytes:
    try:
        return text.encode(charset)
    except (LookupError, UnicodeEncodeError):
        return text.encode()


def _ask(target: SplitResult, deadline: Deadline, *, follow: bool) -> tuple[Answer, str]:
    """Return the answer and its character set. Raises ``OSError``, ``HTTPException`` and the errors of this module."""
    began = time.monotonic()
    for redirects in range(MAX_REDIRECTS + 1):
        connection = _Connection(target, deadline)
        response = None
        try:
            path = quote(target.path or "/", safe=SAFE)
            query = f"?{quote(target.query, safe=SAFE)}" if target.query else ""
            connection.request("GET", path + query, headers=HEADERS)
            response = connection.getresponse()
            location = response.headers.get("Location")
            if follow and response.status in REDIRECTS and location:
                target = _redirected(target, location)
                continue
            body = _read(response, MAX_BYTES + 1)
        finally:
            connection.close()
            if response is not None:
                response.close()
        milliseconds = round((time.monotonic() - began) * 1000)
        charset = response.headers.get_content_charset() or "utf-8"
        truncated = len(body) > MAX_BYTES
        return Answer(response.status, body[:MAX_BYTES], truncated, milliseconds, redirects), charset
    raise UrlCheckFailed(f"{_shown(target)} is the end of more than {MAX_REDIRECTS} redirects.")


def _redirected(source: SplitResult, location: str) -> SplitResult:
    # The header's bytes come as Latin-1.
    location = location.encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        _check_characters(location)  # urljoin drops some of them
        return _allowed(urljoin(source.geturl(), location))
    except (UrlRefused, ValueError) as error:
        raise UrlRefused(f"{_shown(source)} redirects to where it may not lead. {error}") from None


def _read(response: http.client.HTTPResponse, limit: int) -> bytes:
    body = bytearray()
    while len(body) < limit:
        chunk = response.read(min(65_536, limit - len(body)))
        if not chunk:
            if response.length:  # reading in parts, http.client takes a broken connection for the end
                raise http.client.IncompleteRead(bytes(body), response.length)
            break
        body += chunk
    return bytes(body)


class _Connection(http.client.HTTPConnection):
    """A connection whose every step ends by the deadline. A socket's own timeout starts anew with each byte."""

    def __init__(self, target: SplitResult, deadline: Deadline) -> None:
        secure = target.scheme == "https"
        super().__init__(target.hostname or "", target.port or (443 if secure else 80))
        self.default_port = 443 if secure else 80  # so that the Host header leaves the usual port out
        self._secure = secure
        self._deadline = deadline

    def connect(self) -> None:
        plain = _connected(self.host, self.port, self._deadline)
        try:
            if self._secure:
                plain.settimeout(self._deadline.remaining())
                plain = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
            self.sock: Any = _DeadlineSocket(plain, self._deadline)
        except BaseException:
            plain.close()
            raise


def _connected(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Return a socket that is connected to the first address that answers."""
    last: OSError = OSError("its name has no address")
    for family, kind, protocol, _, address in _addresses(host, port, deadline):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(deadline.remaining())
            connection.connect(address)
        except OSError as error:
            connection.close()
            last = error
        else:
            return connection
    deadline.remaining()
    raise last


def _addresses(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Look a name up. In a thread, as nothing can interrupt a resolver that waits for its servers."""
    answers: queue.SimpleQueue[list[Any] | OSError | UnicodeError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=look_up, name="check-url-dns", daemon=True).start()
    try:
        found = answers.get(timeout=deadline.remaining())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, UnicodeError):  # a label that is empty or too long
        raise OSError(f"{host!r} is no name of a host")
    if isinstance(found, OSError):
        raise found
    return found


class _DeadlineSocket:
    """What `http.client` needs of a socket."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._deadline.remaining())  # for all of it, as sendall counts it
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        # The socket counts its files: http.client closes it while its answer is still being read.
        return io.BufferedReader(_DeadlineReader(self._socket, self._deadline))

    def close(self) -> None:
        self._socket.close()


class _DeadlineReader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._file = connection.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._deadline.remaining())
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()
