"""Why a look ends before its end."""


class Stopped(Exception):
    """Say in one line why the look ended early."""
