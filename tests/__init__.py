"""Tests of Plex Auth."""
