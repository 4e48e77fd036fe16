"""Three clients that make the same five calls: ours, python-plexapi and bare aiohttp."""
