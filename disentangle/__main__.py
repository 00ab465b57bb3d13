"""`python -m disentangle` is the command `disentangle`."""

from disentangle.cli import main

if __name__ == "__main__":
    main()
