"""Benchmarks: what the integration costs a home, and how it compares with others.

`scripts/bench` runs them all. Each section and each simulated Plex is a process of its
own; `report.py` puts the figures together.
"""
