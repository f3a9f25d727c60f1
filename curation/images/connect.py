"""HTTP connections to untrusted servers: public addresses only, with a deadline for everything.

A URL in a dataset must not make this machine send requests to its own network.
``CURATION_PRIVATE_URLS=1`` allows them, for an image server of one's own. A proxy from the
environment is used; the proxy decides which addresses it connects to.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import os
import socket
import ssl
import time
import urllib.request
from functools import lru_cache, partial
from typing import Any

from curation.errors import UnreadableError

PRIVATE = "CURATION_PRIVATE_URLS"

# The routed part of IPv6, and the prefix that gateways translate to IPv4.
_ROUTED = ipaddress.IPv6Network("2000::/3")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


class Web(urllib.request.AbstractHTTPHandler):
    """A urllib handler for http and https with a deadline and without private addresses.

    Args:
        deadline: in seconds of ``time.monotonic``.
    """

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, request: urllib.request.Request) -> Any:
        return self._open(request, http.client.HTTPConnection)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self._open(request, http.client.HTTPSConnection, context=_tls())

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def _open(self, request: urllib.request.Request, kind: Any, **settings: Any) -> Any:
        uses_proxy = request.has_proxy() or getattr(request, "_tunnel_host", None) is not None
        public_only = os.environ.get(PRIVATE) != "1" and not uses_proxy

        def connection(host: str, **more: Any) -> http.client.HTTPConnection:
            new: http.client.HTTPConnection = kind(host, **more)
            new._create_connection = partial(  # type: ignore[attr-defined]  # private to http
                _connect, deadline=self._deadline, public_only=public_only
            )
            new.response_class = partial(_Response, self._deadline)  # type: ignore[assignment]  # a class
            return new

        return self.do_open(connection, request, **settings)


def seconds_left(deadline: float) -> float:
    """Seconds until a deadline of ``time.monotonic``; more than 0.

    Raises:
        TimeoutError: the deadline has passed.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Cached because loading the certificates takes longer than many requests.
    return ssl.create_default_context()


def _connect(
    host_and_port: tuple[str, int], *_: object, deadline: float, public_only: bool
) -> socket.socket:
    """A connection to the first address of a host that accepts one.

    The address is checked here, and not the host name before, because a second look-up of the
    name may return another address.
    """
    problem: Exception = OSError("the host has no address")
    addresses = socket.getaddrinfo(*host_and_port, type=socket.SOCK_STREAM)
    for number, (family, kind, protocol, _name, address) in enumerate(addresses):
        if public_only and not _is_public(str(address[0])):
            problem = UnreadableError(
                f"{address[0]} is not a public address ({PRIVATE}=1 allows it)"
            )
            continue
        connected = socket.socket(family, kind, protocol)
        try:
            # Each remaining address gets an equal share of the time.
            connected.settimeout(seconds_left(deadline) / (len(addresses) - number))
            connected.connect(address)
            connected.settimeout(seconds_left(deadline))
            return connected
        except OSError as error:
            connected.close()
            problem = error
    raise problem


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None:
            return address.is_global and address in _ROUTED
        address = inner
    return address.is_global and not address.is_multicast


class _Response(http.client.HTTPResponse):
    """A response whose reads, those of its headers included, end by the deadline."""

    def __init__(self, deadline: float, sock: socket.socket, *args: Any, **settings: Any) -> None:
        super().__init__(sock, *args, **settings)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, deadline))


class _TimedReader(io.RawIOBase):
    """A socket's stream that sets the remaining time as the timeout of every read."""

    def __init__(self, source: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._source = source
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(seconds_left(self._deadline))
        return self._source.readinto(buffer)

    def close(self) -> None:
        self._source.close()
        super().close()
