"""A tour through the integration in a real browser, as a person would click.

`scripts/browser` starts Home Assistant and the simulated Plex, and runs this package in
an environment of its own. Each step looks for what a person sees, with the texts of
`translations/en.json`, and takes a picture: all of them are in `.cache/browser` after a
run.
"""
