"""The names of voluptuous, which Home Assistant serves by probatio."""

from probatio import *
