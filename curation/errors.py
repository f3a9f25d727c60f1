"""The one exception that is meant for people."""


class CurationError(Exception):
    """Something a person can mend: its text names the thing and says what to do.

    The command line prints it as one line and exits with 2; the app shows it in place.
    """


class UnreadableError(CurationError):
    """A file or an address could not be read: another try may find it."""
