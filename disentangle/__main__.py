"""`python -m disentangle` is the command `disentangle`."""

from disentangle.cli import main

main()
