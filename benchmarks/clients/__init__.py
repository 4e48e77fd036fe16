"""Four clients of Plex that make the same five calls: ours, two peers and the floor."""
