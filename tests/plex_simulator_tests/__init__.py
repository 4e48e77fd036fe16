"""The simulator answers as Plex does: what every other test relies on."""
