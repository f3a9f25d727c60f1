"""Files as their real producers write them: img2dataset and clip-retrieval, run as people run them.

They live in an environment of their own (requirements-producers.txt); what img2dataset downloads
comes from a server in this process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.producers.downloads import PRODUCERS, Download, Site, links


@pytest.fixture(scope="session")
def producers() -> Path:
    if not (PRODUCERS / ".installed").is_file():
        pytest.skip(f"{PRODUCERS.name} is not there: `make test` makes it")
    return PRODUCERS


@pytest.fixture(scope="session")
def download(producers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Download]:
    listed = links()
    site = Site(listed)
    thread = threading.Thread(target=site.serve_forever, daemon=True)
    thread.start()
    yield Download(site, listed, tmp_path_factory.mktemp("downloads"))
    site.shutdown()
    site.server_close()
    thread.join()


@pytest.fixture(scope="session")
def untouched(download: Download) -> Path:
    """Tars of JPEGs as they were served, and of other images made JPEGs."""
    return download.run("untouched", "webdataset", resize_mode="no", skip_reencode=True)


@pytest.fixture(scope="session")
def files(download: Download) -> Path:
    """The same as files, each beside its caption and its JSON."""
    return download.run("files", "files", resize_mode="no", skip_reencode=True)
