"""Executors that nobody should write: each breaks the contract in one way."""

from disentangle.studies import Executor


class Wide(Executor):
    """It does not know how many jobs it runs."""

    def width(self, device):
        return "many"

    def run(self, jobs, device):
        yield None


class Mumbling(Wide):
    """It yields no events."""

    def width(self, device):
        return 1

    def run(self, jobs, device):
        yield "done"
