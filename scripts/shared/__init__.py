"""What the scripts share: the standard library of Python 3.11 and nothing else."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python is told so in one line
    sys.exit("error: Python 3.11 or newer is needed to run this script")
