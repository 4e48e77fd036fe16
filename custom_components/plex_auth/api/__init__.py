"""A client of Plex: aiohttp and the standard library, nothing of Home Assistant."""
