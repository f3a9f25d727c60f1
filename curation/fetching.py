"""One image from the web, within limits: the address and its answer come from strangers.

Only http and https; no more bytes and no longer than the limits, however slowly they drip; and
only from public addresses, so that a link in a dataset cannot make this machine ask its own
network. ``CURATION_PRIVATE_URLS=1`` allows private ones, for a store of images of one's own.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from curation import __version__
from curation.errors import UnreadableError

# Bytes, and seconds for all of them.
LIMIT = 20_000_000
TIMEOUT = 10.0
# Redirects that are followed.
_HOPS = 5
_CHUNK = 1 << 16

PRIVATE = "CURATION_PRIVATE_URLS"


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
        _check_scheme(url)
        request = urllib.request.Request(
            url, headers={"User-Agent": f"clip-curation/{__version__}"}
        )
        with _opener().open(request, timeout=timeout) as answer:
            return _within(answer, limit, deadline, timeout)
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"HTTP {error.code} {error.reason}"
    except urllib.error.URLError as error:
        reason = str(getattr(error.reason, "strerror", None) or error.reason)
    except TimeoutError:
        reason = f"no answer within {timeout:g} s"
    except UnreadableError as error:
        reason = str(error)
    # An address that is none raises UnicodeError, InvalidURL or ValueError.
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    raise UnreadableError(f"the image could not be fetched: {reason}: {url}")


def _within(answer: Any, limit: int, deadline: float, timeout: float) -> bytes:
    parts: list[bytes] = []
    total = 0
    # read1 returns what has come, where read would wait for the whole chunk.
    while part := answer.read1(_CHUNK):
        total += len(part)
        if total > limit:
            raise UnreadableError(f"more than {limit / 1e6:g} MB")
        if time.monotonic() > deadline:
            raise TimeoutError
        parts.append(part)
    if answer.length:
        raise UnreadableError("the answer breaks off")
    return b"".join(parts)


def _opener() -> urllib.request.OpenerDirector:
    if os.environ.get(PRIVATE) == "1":
        return urllib.request.build_opener(_Redirects)
    return urllib.request.build_opener(_Redirects, _PublicHttp, _PublicHttps)


def _check_scheme(url: str) -> None:
    if urllib.parse.urlsplit(url).scheme.lower() not in ("http", "https"):
        raise UnreadableError("only http and https are fetched")


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = _HOPS

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Public(http.client.HTTPConnection):
    """A connection that is closed before anything is sent unless the other end is public."""

    def connect(self) -> None:
        super().connect()
        # Behind a proxy of one's own, the proxy decides.
        if urllib.request.getproxies():
            return
        # Asked of the socket, not of the name, which may be told otherwise the next time.
        address = ipaddress.ip_address(self.sock.getpeername()[0].partition("%")[0])
        if not address.is_global:
            self.close()
            raise UnreadableError(f"{address} is no public address ({PRIVATE}=1 allows it)")


class _PublicTls(http.client.HTTPSConnection, _Public):
    pass


class _PublicHttp(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_Public, request)


class _PublicHttps(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_PublicTls, request, context=self._context)  # type: ignore[attr-defined]
