"""Downloads an image from an untrusted URL, within limits of size and time.

Only http and https are allowed, also after redirects, and only public addresses (``connect.py``).
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import string
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from typing import Any

from curation import __version__
from curation.errors import UnreadableError
from curation.images.connect import Web, seconds_left

# Bytes of a response at most.
LIMIT = 20_000_000
# Seconds for the whole download. The look-up of the host name has the system's own limit.
TIMEOUT = 10.0
_MAX_REDIRECTS = 5
_REDIRECT_CODES = (301, 302, 303, 307, 308)
_CHUNK = 1 << 16

# The characters that a browser does not escape in a path or a query.
_UNESCAPED = "!$%&'()*+,/:;=?@[]^|"


def fetch(url: str, limit: int = LIMIT, timeout: float = TIMEOUT) -> bytes:
    """The bytes of the image at a URL.

    Args:
        limit: maximum number of bytes; a longer response is refused.
        timeout: seconds for the whole download.

    Raises:
        UnreadableError: there is no image at the URL, or none within the limits.
    """
    deadline = time.monotonic() + timeout
    try:
        with _open(url, deadline) as response:
            return _read(response, limit)
    except TimeoutError:
        reason = f"not complete within {timeout:g} s"
    except (OSError, http.client.HTTPException, ValueError, zlib.error, UnreadableError) as error:
        reason = _reason(error)
    raise UnreadableError(f"image could not be fetched: {reason}: {url}")


def host(url: str) -> str:
    """The host name in a URL; empty if there is none."""
    try:
        return urllib.parse.urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""


def _open(url: str, deadline: float) -> Any:
    """The response of a URL, after its redirects."""
    for _ in range(_MAX_REDIRECTS + 1):
        try:
            return _opener(deadline).open(_request(url), timeout=seconds_left(deadline))
        except urllib.error.HTTPError as error:
            # urllib's own redirect handler would read the whole body first.
            error.close()
            location = error.headers.get("Location")
            if error.code not in _REDIRECT_CODES or not location:
                raise
            # http.client decodes headers as Latin-1, whatever their encoding is.
            location = urllib.parse.quote(location, string.punctuation, "iso-8859-1")
            url = urllib.parse.urljoin(url, location)
        except urllib.error.URLError as error:
            raise error.reason if isinstance(error.reason, OSError) else error from None
    raise UnreadableError(f"more than {_MAX_REDIRECTS} redirects")


def _request(url: str) -> urllib.request.Request:
    """The request that a browser would send for a URL."""
    parts = urllib.parse.urlsplit(url.strip())
    if parts.scheme not in ("http", "https"):
        raise UnreadableError("only http and https URLs are fetched")
    name = parts.hostname or ""
    if not name:
        raise ValueError("no host")
    name = f"[{name}]" if ":" in name else name.encode("idna").decode()
    netloc = name if parts.port is None else f"{name}:{parts.port}"
    path = urllib.parse.quote(parts.path.replace("\\", "/") or "/", _UNESCAPED)
    query = urllib.parse.quote(parts.query, _UNESCAPED)
    headers = {"User-Agent": f"clip-curation/{__version__}", "Accept": "image/*,*/*;q=0.5"}
    if parts.username:
        user, password = (
            urllib.parse.unquote(part or "") for part in (parts.username, parts.password)
        )
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    target = urllib.parse.urlunsplit((parts.scheme, netloc, path, query, ""))
    return urllib.request.Request(target, headers=headers)


def _read(response: Any, limit: int) -> bytes:
    """The body of a response, unless it is clearly not an image."""
    too_long = UnreadableError(f"more than {limit / 1e6:g} MB")
    if (response.length or 0) > limit:
        raise too_long
    parts: list[bytes] = []
    total = 0
    # read1 returns what has arrived; read would wait for the whole chunk.
    while part := response.read1(_CHUNK):
        total += len(part)
        if total > limit:
            raise too_long
        parts.append(part)
    if response.length:
        raise UnreadableError("the response is incomplete")
    data = b"".join(parts)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate"):
        # Not requested, but some servers always compress. 47 accepts both gzip and zlib headers.
        decompressor = zlib.decompressobj(47)
        data = decompressor.decompress(data, limit + 1)
        if len(data) > limit:
            raise too_long
        if not decompressor.eof:
            raise UnreadableError("the response is incomplete")
    elif encoding not in ("", "identity"):
        raise UnreadableError("the response has an unsupported Content-Encoding")
    if not data:
        raise UnreadableError("the response is empty")
    if data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise UnreadableError("the response is a page (HTML or XML), not an image")
    return data


def _reason(error: Exception) -> str:
    """An error as one short phrase, without text that the server controls."""
    match error:
        case urllib.error.HTTPError():
            return f"HTTP {error.code} {http.client.responses.get(error.code, '')}".strip()
        case urllib.error.URLError():
            return str(error.reason)
        case ssl.SSLCertVerificationError():
            return f"its certificate is not valid ({error.verify_message})"
        case ssl.SSLError():
            return f"the TLS connection failed ({error.reason or error})"
        case socket.gaierror(errno=socket.EAI_NONAME):
            return "no such host"
        case http.client.RemoteDisconnected():
            return "the connection was closed without a response"
        case http.client.IncompleteRead() | zlib.error():
            return "the response is incomplete"
        case http.client.InvalidURL() | ValueError():
            return "not a valid URL"
        case http.client.HTTPException():
            return "the response is not HTTP"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _opener(deadline: float) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        Web(deadline),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
