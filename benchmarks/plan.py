"""How much is measured: what more than one module has to know."""

IN_A_ROW = 48
ROUNDS = 24
AT_ONCE = 50
ROUNDS_AT_ONCE = 8

IMPORTS = 7

SET_UPS = 15
WARM = 150
COLD = 60

ACCOUNTS = (1, 10, 50, 100)
SERVERS = 4
RUNS = 3
POLLS_OF_ALL = 3
