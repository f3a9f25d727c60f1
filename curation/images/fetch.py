"""One image from the web, within limits: the address and its answer come from strangers.

Only http and https, after redirects too; no more bytes and no longer than the limits, however
slowly they drip; and only from public addresses (``connecting.py``).
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

# Bytes, and seconds for all of them; looking up a name takes what the system allows it.
LIMIT = 20_000_000
TIMEOUT = 10.0
# Redirects that are followed.
_HOPS = 5
_MOVED = (301, 302, 303, 307, 308)
_CHUNK = 1 << 16

# What a browser leaves as it is in a path or a query.
_AS_IT_IS = "!$%&'()*+,/:;=?@[]^|"


def fetch(url: str, limit: int = LIMIT, timeout: float = TIMEOUT) -> bytes:
    """What an address answers.

    Args:
        limit: bytes; a longer answer is refused.
        timeout: seconds for all of it.

    Raises:
        UnreadableError: there is no answer, or none within the limits; another try may find it.
    """
    deadline = time.monotonic() + timeout
    try:
        with _answer(url, deadline) as answer:
            return _content(answer, limit)
    except TimeoutError:
        why = f"not there within {timeout:g} s"
    except (OSError, http.client.HTTPException, ValueError, zlib.error, UnreadableError) as error:
        why = _why(error)
    raise UnreadableError(f"the image could not be fetched: {why}: {url}")


def host(url: str) -> str:
    """The name of the machine that an address leads to; empty where it is no address."""
    try:
        return urllib.parse.urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""


def _answer(url: str, deadline: float) -> Any:
    for _ in range(_HOPS + 1):
        try:
            return _opener(deadline).open(_request(url), timeout=seconds_left(deadline))
        except urllib.error.HTTPError as error:
            # Closed unread: urllib's own redirects read whatever comes with them.
            error.close()
            moved = error.headers.get("Location")
            if error.code not in _MOVED or not moved:
                raise
            # Headers are read as Latin-1, whatever they are.
            moved = urllib.parse.quote(moved, string.punctuation, "iso-8859-1")
            url = urllib.parse.urljoin(url, moved)
        except urllib.error.URLError as error:
            raise error.reason if isinstance(error.reason, OSError) else error from None
    raise UnreadableError(f"more than {_HOPS} redirects")


def _request(url: str) -> urllib.request.Request:
    """A request for what a browser would ask for under this address."""
    parts = urllib.parse.urlsplit(url.strip())
    if parts.scheme not in ("http", "https"):
        raise UnreadableError("only http and https are fetched")
    name = parts.hostname or ""
    if not name:
        raise ValueError("no host")
    name = f"[{name}]" if ":" in name else name.encode("idna").decode()
    place = name if parts.port is None else f"{name}:{parts.port}"
    found = (parts.path.replace("\\", "/") or "/", parts.query)
    path, query = (urllib.parse.quote(part, _AS_IT_IS) for part in found)
    headers = {"User-Agent": f"clip-curation/{__version__}", "Accept": "image/*,*/*;q=0.5"}
    if parts.username:
        user, password = (
            urllib.parse.unquote(part or "") for part in (parts.username, parts.password)
        )
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    sent = urllib.parse.urlunsplit((parts.scheme, place, path, query, ""))
    return urllib.request.Request(sent, headers=headers)


def _content(answer: Any, limit: int) -> bytes:
    """The image's bytes, as far as one can tell without decoding them."""
    too_long = UnreadableError(f"more than {limit / 1e6:g} MB")
    if (answer.length or 0) > limit:
        raise too_long
    parts: list[bytes] = []
    total = 0
    # read1 returns what has come, where read would wait for the whole chunk.
    while part := answer.read1(_CHUNK):
        total += len(part)
        if total > limit:
            raise too_long
        parts.append(part)
    if answer.length:
        raise UnreadableError("the answer breaks off")
    data = b"".join(parts)
    packed = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if packed in ("gzip", "x-gzip", "deflate"):
        # Not asked for, but some send nothing else. The window of 47 bits takes gzip and zlib.
        unpacking = zlib.decompressobj(47)
        data = unpacking.decompress(data, limit + 1)
        if len(data) > limit:
            raise too_long
        if not unpacking.eof:
            raise UnreadableError("the answer breaks off")
    elif packed not in ("", "identity"):
        raise UnreadableError("the answer is packed in a way that was not asked for")
    if not data:
        raise UnreadableError("the answer is empty")
    if data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise UnreadableError("the answer is a page (HTML or XML), not an image")
    return data


def _why(error: Exception) -> str:
    """One line in words of ours: what a server says of itself may be anything."""
    match error:
        case urllib.error.HTTPError():
            return f"HTTP {error.code} {http.client.responses.get(error.code, '')}".strip()
        case urllib.error.URLError():
            return str(error.reason)
        case ssl.SSLCertVerificationError():
            return f"its certificate does not hold ({error.verify_message})"
        case ssl.SSLError():
            return f"no TLS connection ({error.reason or error})"
        case socket.gaierror(errno=socket.EAI_NONAME):
            return "no such host"
        case http.client.RemoteDisconnected():
            return "the connection was closed without an answer"
        case http.client.IncompleteRead() | zlib.error():
            return "the answer breaks off"
        case http.client.InvalidURL() | ValueError():
            return "this is no address on the web"
        case http.client.HTTPException():
            return "the answer is not HTTP"
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
