"""Connections to strangers' servers: public addresses only, and nothing waits past a deadline.

A link in a dataset must not make this machine ask its own network. ``CURATION_PRIVATE_URLS=1``
allows that, for a store of images of one's own. A proxy that the environment names is used; what
it may ask is its own affair.
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

# All that is routed of IPv6, and where gateways translate it to IPv4.
_ROUTED = ipaddress.IPv6Network("2000::/3")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


class Web(urllib.request.AbstractHTTPHandler):
    """http and https over connections that keep the limits."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, request: urllib.request.Request) -> Any:
        return self._open(request, http.client.HTTPConnection)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self._open(request, http.client.HTTPSConnection, context=_tls())

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def _open(self, request: urllib.request.Request, kind: Any, **settings: Any) -> Any:
        by_proxy = request.has_proxy() or getattr(request, "_tunnel_host", None) is not None
        is_guarded = os.environ.get(PRIVATE) != "1" and not by_proxy

        def connection(host: str, **more: Any) -> http.client.HTTPConnection:
            made: http.client.HTTPConnection = kind(host, **more)
            made._create_connection = partial(  # type: ignore[attr-defined]
                _connect, deadline=self._deadline, is_guarded=is_guarded
            )
            made.response_class = partial(_Answer, self._deadline)  # type: ignore[assignment]
            return made

        return self.do_open(connection, request, **settings)


def seconds_left(deadline: float) -> float:
    """Until a deadline of ``time.monotonic``.

    Raises:
        TimeoutError: it has passed.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Reading the certificates takes longer than many an answer.
    return ssl.create_default_context()


def _connect(
    place: tuple[str, int], *_: object, deadline: float, is_guarded: bool
) -> socket.socket:
    """A connection to the first address of a host that takes one.

    A guarded one is to a public address. It is the address connected to that is looked at: a name
    might be told otherwise when it is asked for again.
    """
    problem: Exception = OSError("the host has no address")
    found = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)
    for number, (family, kind, protocol, _name, address) in enumerate(found):
        if is_guarded and not _is_public(str(address[0])):
            problem = UnreadableError(f"{address[0]} is no public address ({PRIVATE}=1 allows it)")
            continue
        opened = socket.socket(family, kind, protocol)
        try:
            # An address that does not answer leaves time for the next.
            opened.settimeout(seconds_left(deadline) / (len(found) - number))
            opened.connect(address)
            opened.settimeout(seconds_left(deadline))
            return opened
        except OSError as error:
            opened.close()
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


class _Answer(http.client.HTTPResponse):
    """An answer each of whose reads ends by the deadline, that of its headers included."""

    def __init__(self, deadline: float, sock: socket.socket, *args: Any, **settings: Any) -> None:
        super().__init__(sock, *args, **settings)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, deadline))


class _Timed(io.RawIOBase):
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
