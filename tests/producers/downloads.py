"""img2dataset's own command over links that a server in this process answers."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests import make

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = ROOT / "data" / "sample"
PRODUCERS = ROOT / ".venv-producers"

# The producers and their libraries contact no server but the test's.
QUIET = {
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "WANDB_MODE": "disabled",
    "WANDB_ERROR_REPORTING": "false",
}

# Links per shard.
SHARD = 20

NOT_FOUND = "download failed: HTTP Error 404: Not Found"
REFUSED = "download failed: Use of image disallowed by X-Robots-Tag directive"
NO_IMAGE = "image could not be resized after the download: Image decoding error"


def exif_jpeg() -> bytes:
    """A picture whose EXIF orientation is rotated by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return make.encoded(make.picture(1), exif=exif)


def alpha_png() -> bytes:
    picture = make.picture(2).convert("RGBA")
    picture.putalpha(128)
    return make.encoded(picture, "PNG")


@dataclass(frozen=True)
class Link:
    """A link for img2dataset to download, and the expected result.

    Attributes:
        served: the server's answer; None is a 404.
        failure: why img2dataset rejects it, unless re-encoding is disabled.
    """

    path: str
    caption: str
    uid: str
    served: bytes | None
    failure: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def links() -> list[Link]:
    """Five shards: mixed, images only, failures only, images only, unusual images."""
    with (SAMPLE / "metadata.csv").open(encoding="utf-8", newline="") as file:
        pairs = [row for row, _ in zip(csv.DictReader(file), range(57), strict=False)]
    numbers = iter(range(200))

    def link(path: str, caption: str, served: bytes | None, *failure: str, **headers: str) -> Link:
        return Link(path, caption, make.uid(next(numbers)), served, *failure, headers=headers)

    good = [
        link(p["file_name"], p["caption"], (SAMPLE / p["file_name"]).read_bytes()) for p in pairs
    ]
    missing = [link(f"gone/{n}.jpg", f"gone {n}", None, NOT_FOUND) for n in range(21)]
    page = link("page.jpg", "a page", b"<html>moved</html>", NO_IMAGE)
    robots = {"X-Robots-Tag": "noai"}
    refused = link("refused.jpg", "refused", good[0].served or b"", REFUSED, **robots)
    odd = [
        link("on-its-side.jpg", 'a "quoted", caption', exif_jpeg()),
        link("alpha.png", "写真 über\nsecond line", alpha_png()),
        link("uncaptioned.jpg", " ", make.encoded(make.picture(3))),
    ]
    return [*good[:18], missing[0], page, *good[18:37], refused, *missing[1:], *good[37:], *odd]


class Site(ThreadingHTTPServer):
    """A server of the links on a free port. It delays the link `slow` until `let_go` is set."""

    daemon_threads = True

    def __init__(self, served: list[Link]) -> None:
        self.by_path = {f"/{link.path}": link for link in served}
        self.slow: str | None = None
        self.let_go = threading.Event()
        super().__init__(("127.0.0.1", 0), _Answer)

    def url(self, link: Link) -> str:
        return f"http://127.0.0.1:{self.server_port}/{link.path}"


class _Answer(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        link = self.server.by_path.get(self.path)
        if self.path == self.server.slow:
            self.server.let_go.wait(120)
        if link is None or link.served is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(link.served)))
        for name, value in link.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(link.served)

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass(frozen=True)
class Download:
    """img2dataset over a list of links into a folder below ``root``."""

    site: Site
    links: list[Link]
    root: Path

    @cached_property
    def url_list(self) -> Path:
        table = pa.table(
            {
                "url": [self.site.url(link) for link in self.links],
                "text": [link.caption for link in self.links],
                "uid": [link.uid for link in self.links],
                "face_bboxes": [
                    [[0.1, 0.1, 0.4, 0.4]] if n % 2 else [] for n in range(len(self.links))
                ],
            }
        )
        path = self.root / "links.parquet"
        pq.write_table(table, path)
        return path

    def command(self, name: str, output_format: str, **options: object) -> list[str]:
        settings = {
            "url_list": self.url_list,
            "input_format": "parquet",
            "caption_col": "text",
            "save_additional_columns": '["uid"]',
            "output_folder": self.root / name,
            "output_format": output_format,
            "number_sample_per_shard": SHARD,
            "processes_count": 1,
            "thread_count": 8,
            **options,
        }
        words = [f"--{name}={value}" for name, value in settings.items() if value is not None]
        return [str(PRODUCERS / "bin" / "img2dataset"), *words]

    def run(self, name: str, output_format: str, **options: object) -> Path:
        run(self.command(name, output_format, **options))
        return self.root / name

    def killed(
        self, name: str, output_format: str, is_time: Callable[[Path], bool], **options: object
    ) -> Path:
        """The output of an img2dataset that is killed while it waits for the last usable link."""
        last = next(link for link in reversed(self.links) if link.failure is None)
        self.site.slow = f"/{last.path}"
        self.site.let_go.clear()
        log = self.root / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                self.command(name, output_format, timeout=120, **options),
                env=environment(),
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            until = time.monotonic() + 60
            while not is_time(self.root / name):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
        finally:
            # Its workers too.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.site.slow = None
            self.site.let_go.set()
        return self.root / name


def environment() -> dict[str, str]:
    return {**os.environ, **QUIET}


def run(command: list[str]) -> None:
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
