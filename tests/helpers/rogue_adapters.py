"""Encoders, collections and trackers for testing the conformance kit: right ones, and wrong ones.

The source of these plugins: https://example.org/adapters.
"""

import socket
from pathlib import Path

import numpy as np
from PIL import Image
from torch import nn

from disentangle import ExternalEncoder, Tracker, TrackerEntry, UsageError, knob
from disentangle.data import About, Examples, about, prepare_examples
from disentangle.nn import FrozenEncoder, Preprocessing, random_weights

# Encoders


def network(latents=5):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, latents))


def checked(reference):
    reference.check_options("seed")
    if reference.name != "small":
        raise UsageError(f"no network '{reference.name}'; known: small")


def right_encoder(reference, *, download):
    """Load the small network."""
    checked(reference)
    net, weights = random_weights(network, reference.whole_number("seed", least=0))
    origin = {"library": "lab 1.0", "weights": weights}
    return ExternalEncoder(FrozenEncoder(net, Preprocessing((16, 16))), origin)


def encoder_of(function, origin=(("weights", "no weights"),)):
    """An encoder plugin whose function is this one."""

    def load(reference, *, download):
        """Load the function."""
        checked(reference)
        return ExternalEncoder(function, dict(origin))

    return load


def first_pixels(x):
    return x.flatten(1)[:, :8]


def undocumented_encoder(reference, *, download):
    return right_encoder(reference, download=download)


def any_name(reference, *, download):
    """Load some network, whatever its name."""
    reference.check_options("seed")
    return ExternalEncoder(first_pixels, {"weights": "no weights"})


def any_option(reference, *, download):
    """Load the small network, whatever the options."""
    if reference.name != "small":
        raise UsageError("no such network")
    return ExternalEncoder(first_pixels, {"weights": "no weights"})


def looks_up_options(reference, *, download):
    """Load the small network, with options in a dictionary."""
    if reference.name != "small":
        raise UsageError("no such network")
    for option in reference.options:
        assert {"seed": 1}[option]
    return ExternalEncoder(first_pixels, {"weights": "no weights"})


def downloads_anyway(reference, *, download):
    """Load the small network, and look for a newer one."""
    checked(reference)
    try:
        socket.create_connection(("weights.example.org", 80))
    except OSError:
        pass
    return ExternalEncoder(first_pixels, {"weights": "no weights"})


def other_weights(reference, *, download):
    """Load the small network with weights of nobody's choice."""
    checked(reference)
    weights = np.random.default_rng().standard_normal((64 * 64, 4))
    function = lambda x: x.flatten(1).numpy() @ weights  # noqa: E731
    return ExternalEncoder(function, {"weights": "random"})


def prints_at_load(reference, *, download):
    """Load the small network, and say so."""
    print("loading")
    return right_encoder(reference, download=download)


def returns_function(reference, *, download):
    """Load a plain function."""
    checked(reference)
    return first_pixels


def centred(x):
    return first_pixels(x) - first_pixels(x).mean(0)


def in_place(x):
    return first_pixels(x.sub_(0.5))


# Collections


def numbered(count=24):
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 256, (32, 32), np.uint8)
        yield Image.fromarray(pixels), [number % 3, "ab"[number % 2]]


def collection_of(make=numbered):
    """A collection that opens these examples."""

    @about(About(about="A few numbered images"))
    def open(location, reference):
        """Open the only dataset."""
        reference.check_options("split")
        if reference.name != "numbered":
            raise UsageError(f"no dataset '{reference.name}'; known: numbered")
        columns = {"digit": (), "letter": ()}
        examples = Examples(parts={"all": make}, source="lab 1.0", columns=columns)
        return prepare_examples(location, 1, lambda stack: examples)

    return open


right_collection = collection_of()


def shuffled():
    images = list(numbered())
    order = np.random.default_rng().permutation(len(images))
    return (images[i] for i in order)


def any_dataset(location, reference):
    """Open the only dataset, whatever is asked for."""
    columns = {"digit": (), "letter": ()}
    examples = Examples(parts={"all": numbered}, source="lab 1.0", columns=columns)
    return prepare_examples(location, 1, lambda stack: examples)


def asks_the_hub(location, reference):
    """Open the only dataset, and look for a newer one."""
    dataset = right_collection(location, reference)
    try:
        socket.getaddrinfo("data.example.org", 80)
    except OSError:
        pass
    return dataset


def returns_images(location, reference):
    """Open a list."""
    return list(numbered())


# Trackers


class RightTracker(Tracker):
    """Writes a line for each step, anew whenever a run is opened."""

    about = "A file of lines"

    digits: int = knob(default=4, min=1, help="significant digits")

    def open(self, run):
        folder = run.path / "lines"
        folder.mkdir(exist_ok=True)
        self.file = folder / "lines.txt"
        self.file.write_text(run.name, encoding="utf-8")
        return TrackerEntry(run.id, 0, f"read {self.file}")

    def log(self, step, values):
        with self.file.open("a") as file:
            print(step, *(f"{k}={v:.{self.digits}g}" for k, v in values.items()), file=file)

    def close(self, state):
        with self.file.open("a") as file:
            print(state, file=file)


class Continuing(RightTracker):
    """It continues its entry after the last step that it holds."""

    def open(self, run):
        super().open(run)
        return TrackerEntry(run.id, 200 if run.entry else 0, "here")


class BeginsAtMinusOne(RightTracker):
    """It says that an empty entry holds step -1."""

    def open(self, run):
        return super().open(run)._replace(step=-1)


class Forgets(RightTracker):
    """It says that it holds less than it was sent."""

    def open(self, run):
        return super().open(run)._replace(step=100 if run.entry else 0)


class NoPlace(RightTracker):
    """It does not say where to find its entry."""

    def open(self, run):
        return super().open(run)._replace(where="")


class ReturnsId(RightTracker):
    """It returns only an id."""

    def open(self, run):
        return super().open(run).id


class OpensOnce(RightTracker):
    """It cannot open an entry again."""

    def open(self, run):
        if run.entry:
            raise FileExistsError("there is such a run")
        return super().open(run)


class PopsLoss(RightTracker):
    """It takes the loss out of the values."""

    def log(self, step, values):
        values.pop("loss")
        super().log(step, values)


class TidiesUp(RightTracker):
    """It removes the figures that it was given."""

    def figure(self, file, step):
        file.unlink()


class OnePackage(RightTracker):
    """Its packages are a single text."""

    def packages(self):
        return "json"


class NoHelpTracker(RightTracker):
    """A knob of it has no help."""

    folder: str = knob(default="", help="")


class MovesOn(RightTracker):
    """Its folder becomes another one each time that it is created."""

    folder: str = knob(default="", help="folder")

    def __post_init__(self):
        super().__post_init__()
        self.folder = str(Path(self.folder) / "runs")
