"""A look at the real Plex: is it still as the code and docs/plex-api.md have it?"""
