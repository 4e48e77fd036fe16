"""Benchmarks: the integration beside its peers, measured in one run.

`scripts/bench` runs them all. Each section is a process of its own, and the simulated
Plex is another one; `report.py` puts the figures together.
"""
