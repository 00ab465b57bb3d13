"""Named correlations of datasets: the published ones, in small TOML files."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from pydantic import Field

from disentangle._utils.strict import Strict, packaged_toml
from disentangle.contracts.correlation import digits, split
from disentangle.errors import UsageError, suggestion, true_name


class Setting(Strict):
    """Pairs of factors, all of the same width."""

    pairs: tuple[str, ...] = Field(min_length=1)
    """The pairs without a width, such as `floor_hue,wall_hue`."""
    sigma: tuple[float, ...] = Field(min_length=1)
    """The widths that were published; if there are several, one is to be given."""

    def specs(self, name: str, sigma: str) -> tuple[str, ...]:
        """The pairs with a width, which is the published one if none is given.

        Raises:
            UsageError: none is given, and several were published.
        """
        if not sigma and len(self.sigma) > 1:
            ways = " or ".join(f"{name}={digits(one)}" for one in self.sigma)
            raise UsageError(f"--correlate {name}: it has several widths; use {ways}")
        return tuple(f"{pair}={sigma or digits(self.sigma[0])}" for pair in self.pairs)

    def __str__(self) -> str:
        return f"{' and '.join(self.pairs)}; sigma {' or '.join(map(digits, self.sigma))}"


class SettingsFile(Strict):
    """The content of a file: the settings of some datasets with the same factors."""

    source: str
    """Where the settings come from."""
    datasets: tuple[str, ...] = Field(min_length=1)
    settings: dict[str, Setting]


@cache
def files() -> dict[str, SettingsFile]:
    """All files by their stem."""
    contents = packaged_toml("disentangle.contracts", "correlations")
    return {stem: SettingsFile(**content) for stem, content in contents.items()}


def settings_of(dataset: str) -> tuple[str, Mapping[str, Setting]]:
    """The named settings of a dataset, with their source; none if it has no file."""
    for file in files().values():
        if dataset in file.datasets:
            return file.source, file.settings
    return "", {}


def with_settings(specs: Sequence[str], dataset: str) -> tuple[str, ...]:
    """The pairs that a user asks for, with those that a named setting stands for.

    Args:
        specs: pairs (`floor_hue,wall_hue=0.2`) and names (`pair-1`, or `pair-1=0.4` for the same
            pairs with another width).
        dataset: the registered name of the dataset.

    Raises:
        UsageError: a pair is invalid, or the dataset has no such setting.
    """
    return tuple(each for spec in specs for each in pairs_of(spec, dataset))


def pairs_of(spec: str, dataset: str) -> Iterator[str]:
    """The pairs that one spec stands for."""
    if "," in spec:
        pairs: tuple[str, ...] = (spec,)
    else:
        name, _, sigma = (text.strip() for text in spec.partition("="))
        _, settings = settings_of(dataset)
        name = true_name(name, settings)
        if not settings:
            raise UsageError(
                f"--correlate {spec}: {dataset} has no named settings; give two factors and a "
                "width, FACTOR,FACTOR=SIGMA"
            )
        if name not in settings:
            hint = suggestion(name, settings)
            if "did you mean" not in hint:
                hint += ". Without a setting give two factors and a width, FACTOR,FACTOR=SIGMA"
            raise UsageError(f"--correlate {spec}: {dataset} has no setting '{name}'{hint}")
        pairs = settings[name].specs(name, sigma)
    for pair in pairs:
        split(pair)
        yield pair
