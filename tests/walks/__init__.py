"""The ways through everything, described once for all that walk them.

`names` has the names of the contract, `ways` what a person does page by page: moves that
any driver can do. There are three drivers: `dialog` for a Home Assistant in the same
process, `rest` for one that is reached over its API, and `tests.browser` for its pages.
`markdown` says what pages make of the texts. `troubles` and `server_troubles` say what
can go wrong on the way, by the faults of `tests.fault_catalogue`.
"""
