"""The wheel, installed into environments outside the checkout.

The environments borrow dependencies from the one that runs the tests, so that they cost seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.make import ROOT

PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel."""

    folder: Path

    @property
    def script(self) -> str:
        return str(self.folder / "bin" / "clip-curation")

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's commands, as a user does: outside the checkout."""
        return subprocess.run(
            [str(self.folder / "bin" / command[0]), *command[1:]],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*PIP, "wheel", *options, str(ROOT)], check=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Installed]:
    """Install the wheel beside a folder of borrowed packages."""

    def installed(borrowed: Path) -> Installed:
        folder = tmp_path_factory.mktemp("environment")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        python = str(folder / "bin" / "python")
        options = ["install", "--no-deps", "--no-index", str(wheel)]
        subprocess.run([*PIP, "--python", python, *options], check=True)
        paths = {"base": str(folder), "platbase": str(folder)}
        packages = Path(sysconfig.get_path("purelib", "venv", paths))
        (packages / "borrowed.pth").write_text(f"{borrowed}\n")
        return Installed(folder)

    return installed


@pytest.fixture(scope="session")
def everything(install: Callable[[Path], Installed]) -> Installed:
    """The wheel with the [score] extra."""
    return install(Path(sysconfig.get_path("purelib")))


@pytest.fixture(scope="session")
def base(
    install: Callable[[Path], Installed], tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """The wheel with exactly its base dependencies, and theirs: no torch."""
    borrowed = tmp_path_factory.mktemp("borrowed")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in _closure(project["dependencies"]):
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            link = borrowed / top
            if not link.exists():
                link.symlink_to(Path(str(distribution(name).locate_file(top))))
    return install(borrowed)


def _closure(requirements: Iterable[str]) -> set[str]:
    """The distributions that these requirements install, by canonical name."""
    names: set[str] = set()
    # A requirement, and the extras for which its markers are evaluated.
    pending = [(Requirement(text), ("",)) for text in requirements]
    while pending:
        requirement, extras = pending.pop()
        marker, name = requirement.marker, canonicalize_name(requirement.name)
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras):
            continue
        if name in names and not requirement.extras:
            continue
        names.add(name)
        wanted = ("", *requirement.extras)
        pending += [(Requirement(text), wanted) for text in distribution(name).requires or ()]
    return names
