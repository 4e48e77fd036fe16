# Home Assistant serves the names of voluptuous by probatio.
from probatio import *  # noqa: F403
