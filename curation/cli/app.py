"""``clip-curation app``: start the browser app."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import click

from curation import resources
from curation.cli.common import FOLDER
from curation.errors import CurationError
from curation.storage.workspace import Workspace

HOST = "127.0.0.1"
FIRST_PORT = 8501
# Ports tried from FIRST_PORT on, where --port names none.
_PORTS = 50

port_option = click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port to listen on.  [default: {FIRST_PORT}, or the next free one]",
)
browser_option = click.option(
    "--no-browser", is_flag=True, help="Do not open a browser window; print the address only."
)


@click.command()
@click.argument("folders", nargs=-1, type=FOLDER)
@port_option
@browser_option
def app(folders: tuple[Path, ...], port: int | None, no_browser: bool) -> None:
    """Open scored workspaces in the browser.

    FOLDERS are workspaces, or folders that contain workspaces; the default is the current folder.
    The app listens on 127.0.0.1 only. To use it from another machine, forward the port:
    `ssh -L 8501:127.0.0.1:8501 HOST`.

    \b
    Examples:
      clip-curation app work/pairs
      clip-curation app /data/workspaces --port 8600 --no-browser
    """
    for folder in folders:
        check_folder(folder)
    serve(folders or (Path.cwd(),), port, open_browser=not no_browser)


def check_folder(folder: Path) -> None:
    """Refuse a folder in which the app would find nothing.

    An empty folder passes: a curator may score the first dataset from the browser.

    Raises:
        CurationError: the folder is missing, holds other things but no workspace, or is a
            workspace that cannot be opened.
    """
    if not folder.is_dir():
        raise CurationError(f"{folder} is not a folder")
    if (folder / "workspace.toml").is_file():
        Workspace.open(folder)
    elif any(folder.iterdir()) and not any(folder.glob("*/workspace.toml")):
        raise CurationError(
            f"{folder} is not a workspace and contains none. Score a dataset into one first: "
            f"clip-curation score SOURCE --workspace {folder / 'NAME'}"
        )


def serve(folders: Sequence[Path], port: int | None, open_browser: bool) -> None:
    """Run the app's server until it is interrupted.

    Raises:
        CurationError: the port is in use, or the server stopped by itself.
    """
    port = _free_port(port)
    # -P keeps the current folder off sys.path, where a pages/ folder could shadow the app's.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(resources.APP)]
    options = ["--server.port", str(port), "--server.address", HOST]
    path = os.pathsep.join(filter(None, [str(resources.ROOT), os.environ.get("PYTHONPATH")]))
    server = subprocess.Popen(
        [*command, *options, "--", *(str(folder.absolute()) for folder in folders)],
        env={**os.environ, "PYTHONPATH": path},
    )
    if open_browser and _has_display():
        threading.Thread(target=_open_when_ready, args=(port, server), daemon=True).start()
    try:
        code = server.wait()
    except KeyboardInterrupt:
        # Ctrl-C reached the server too, which is stopping.
        server.wait()
        return
    finally:
        server.terminate()
    if code:
        raise CurationError(f"the app's server stopped with exit code {code}")


def _free_port(wanted: int | None) -> int:
    ports = [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + _PORTS)
    for port in ports:
        with socket.socket() as probe:
            # As servers do: a port that was closed a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    if wanted:
        raise CurationError(f"port {wanted} is in use on {HOST}; choose another with --port")
    last = FIRST_PORT + _PORTS - 1
    raise CurationError(f"ports {FIRST_PORT} to {last} are in use on {HOST}; name one with --port")


def _has_display() -> bool:
    """Whether a browser window can be shown. A text browser would take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_when_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    address = f"http://{HOST}:{port}"
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                webbrowser.open(address)
                return
        except OSError:
            time.sleep(0.1)
