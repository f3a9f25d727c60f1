"""Local servers that replace the web, and workspaces whose images are on them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests import make


@dataclass
class Page:
    """An answer; the headers that it leaves out are those of a JPEG."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Site:
    """A server's pages by path, which a test may change, and the requests it received."""

    address: str
    pages: dict[str, Page]
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def serving(pages: Mapping[str, Page], host: str = "127.0.0.1") -> Iterator[Site]:
    """A server of pages; it answers any other path with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            site.headers.append(dict(self.headers.items()))
            page = site.pages.get(self.path, Page(b"nothing here", 404))
            self.send_response(page.status)
            defaults = {"Content-Type": "image/jpeg", "Content-Length": str(len(page.body))}
            for name, value in (defaults | dict(page.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(page.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    site = Site(f"http://{host}:{server.server_port}", dict(pages))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def pictures(count: int) -> dict[str, Page]:
    """Pages ``/0.jpg``, ``/1.jpg``, …"""
    return {f"/{n}.jpg": Page(make.encoded(make.picture(n))) for n in range(count)}


@contextmanager
def saying(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads a request's head and then calls ``talk``; its address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        # The client may have closed the connection.
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            connection.recv(65536)
            talk(connection)

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/a.jpg"
    finally:
        # Closing alone would leave accept() waiting.
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


# The view of a workspace's Quadrants page that shows every sample.
ALL = {"x": "across", "y": "up", "x_top": "100", "y_top": "100"}


def workspace(folder: Path, images: Sequence[str]) -> Path:
    """A workspace of these images, without a model; those that are no addresses are files."""
    folder.mkdir()
    for number, image in enumerate(images):
        if "://" not in image:
            make.jpeg(folder / image, number)
    lines = [
        json.dumps({"image": image, "caption": f"pair {n}", "across": n, "up": n % 3})
        for n, image in enumerate(images)
    ]
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n")
    make.published(folder / "pairs.jsonl")
    return folder / "w"
