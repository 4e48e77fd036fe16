"""A Plex client built on aiohttp and the standard library, without Home Assistant."""
