"""Exceptions whose messages are shown to users."""


class CurationError(Exception):
    """An error that the user can fix. The message says what happened, where, and what to do.

    The command line prints it as one line and exits with 2; the app shows it on the page.
    """


class UnreadableError(CurationError):
    """A file or a URL could not be read; another try may succeed."""
