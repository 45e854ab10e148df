"""The base of every error that the user can correct."""


class HeadstartError(ValueError):
    """A param, a file, a picture or the environment is wrong, not the code.

    The message is a whole sentence: what is wrong and where, what was found, what is allowed, what to
    do. Stages and `headstart` print it without a traceback. Every other exception is a fault of the
    code and keeps its traceback.
    """
