"""The Plex client by itself: no Home Assistant runs in these tests."""
