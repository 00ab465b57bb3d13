"""`python -m disentangle` is the command `disentangle`."""

from disentangle.cli.app import main

main()
