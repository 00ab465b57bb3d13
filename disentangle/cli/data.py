"""`disentangle data`: list, prepare, draw and verify datasets."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from disentangle._utils.console import tell
from disentangle.cli.help import App
from disentangle.cli.output import open_dataset, print_aligned, print_beside
from disentangle.cli.parameters import (
    AsJson,
    Channels,
    DataDir,
    DatasetName,
    Download,
    File,
    HoldOut,
    HoldOutSeed,
    ImageSize,
    as_example,
    print_json,
)
from disentangle.contracts import registry
from disentangle.errors import DisentangleError

if TYPE_CHECKING:
    from disentangle.contracts.dataset import Dataset, Labelled


data = App(help="List, prepare, draw and verify datasets.")


@data.callback()
def data_group() -> None:
    """List, prepare, draw and verify datasets."""


@data.command("list", epilog=as_example("data list"))
def list_command(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List all datasets: images, download size, licence and state.

    Your own images, and datasets of other libraries, are listed too once they are prepared.
    """
    from disentangle._utils.files import data_folder
    from disentangle.data.status import about, short_folder, state, unregistered_states

    rows = [("dataset", "images", "download", "licence", "state")]
    for name in registry.datasets.entries:
        try:
            facts = about(name)
        except DisentangleError as error:
            rows.append((name, "", "", "", str(error)))
            continue
        images = f"{facts.images:,}" if facts.images else ""
        size = f"{facts.size / 1e6:,.0f} MB" if facts.size else "unstated"
        download = size if facts.files else "none"
        rows.append((name, images, download, facts.licence, state(name, facts, data_dir)))
    for name, folder, prepared in unregistered_states(data_dir):
        licence = "yours" if folder.parts[0] == "own" else "see its authors"
        place = folder if as_json else short_folder(folder)
        rows.append((name, "", "none", licence, f"{prepared}, in {place}"))
    if as_json:
        print_json([dict(zip(rows[0], row, strict=True)) for row in rows[1:]])
        return
    print_aligned(rows)
    tell(f"\nFolder of prepared datasets: {data_folder(data_dir)}")


@data.command(epilog=as_example("data prepare shapes3d --file 3dshapes.h5"))
def prepare(
    name: DatasetName,
    file: File = None,
    download: Download = False,
    image_size: ImageSize = None,
    channels: Channels = None,
    data_dir: DataDir = None,
) -> None:
    """Prepare a dataset from a file or a download, or draw it.

    This is needed only once.
    """
    opening = {"image_size": image_size, "channels": channels, "data_dir": data_dir}
    describe(open_dataset(name, file=file, download=download, **opening))


@data.command(epilog=as_example("data sheet dsprites --output dsprites.png"))
def sheet(
    name: DatasetName,
    output: Annotated[
        Path | None, typer.Option(metavar="PNG", help="file to write", show_default="./NAME.png")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed for choosing the images")] = 0,
    file: File = None,
    image_size: ImageSize = None,
    channels: Channels = None,
    data_dir: DataDir = None,
) -> None:
    """Draw a contact sheet of a dataset, one row per factor."""
    from disentangle._utils.text import file_stem
    from disentangle.figures.contact_sheet import draw_contact_sheet

    opening = {"image_size": image_size, "channels": channels, "data_dir": data_dir}
    dataset = open_dataset(name, file=file, **opening)
    path = output or Path(f"{file_stem(dataset.name)}.png")
    typer.echo(draw_contact_sheet(dataset, path, seed))


@data.command(epilog=as_example("data verify dsprites"))
def verify(
    name: DatasetName,
    image_size: ImageSize = None,
    channels: Channels = None,
    data_dir: DataDir = None,
) -> None:
    """Verify every byte of a prepared dataset."""
    from disentangle.data.status import verify as check

    for line in check(name, data_dir=data_dir, image_size=image_size, channels=channels):
        tell(line)


@data.command(epilog=as_example("data splits dsprites --hold-out 'position_x>0.5'"))
def splits(
    name: DatasetName,
    hold_out: HoldOut = None,
    hold_out_seed: HoldOutSeed = 0,
    as_json: AsJson = False,
    file: File = None,
    image_size: ImageSize = None,
    channels: Channels = None,
    data_dir: DataDir = None,
) -> None:
    """List the splits of a dataset, also those of papers, or the parts that a hold-out makes.

    `--split NAME` trains on the training part of a paper's split, and scores its test part.
    """
    from disentangle.contracts.hold_out import held_out
    from disentangle.contracts.published_splits import splits_of

    opening = {"image_size": image_size, "channels": channels, "data_dir": data_dir}
    dataset = open_dataset(name, file=file, **opening)
    total = len(dataset)
    published = [] if hold_out else list(splits_of(dataset.name).values())
    parts = held_out(dataset, hold_out, hold_out_seed) if hold_out else dataset.splits
    sizes = {part: len(index) for part, index in parts.items()}
    if hold_out and sum(sizes.values()) < 2 * total:
        sizes["neither"] = 2 * total - sum(sizes.values())  # `all` has every image
    if as_json:
        own = [{"name": part, "images": images} for part, images in sizes.items()]
        print_json([*own, *(split.model_dump() for split in published)])
        return
    rows = [(part, f"{size:,} images ({100 * size / total:.3g} %)") for part, size in sizes.items()]
    rows += [(split.name, split.line(total)) for split in published if not split.unavailable]
    print_beside(rows)
    for reason in dict.fromkeys(split.unavailable for split in published if split.unavailable):
        names = ", ".join(split.name for split in published if split.unavailable == reason)
        tell(f"\nunavailable: {names}: {reason}")
    for source in dict.fromkeys(f"{split.source}: {split.link}" for split in published):
        tell(f"\n{source}")


@data.command(epilog=as_example("data show shapes3d"))
def show(
    name: DatasetName,
    image_size: ImageSize = None,
    channels: Channels = None,
    data_dir: DataDir = None,
) -> None:
    """Show a dataset and its named settings; a published one is not prepared for this."""
    from disentangle.contracts.vectors import has_vectors
    from disentangle.data.loading import location
    from disentangle.data.names import true_name
    from disentangle.data.status import about, state, state_of

    facts = about(name)
    prepared = state_of(location(name, data_dir).folder).startswith("ready")
    if prepared or not (facts.files or facts.drawn):
        opening = {"image_size": image_size, "channels": channels, "data_dir": data_dir}
        dataset = open_dataset(name, **opening)
        describe(dataset)
        if has_vectors(dataset):
            return
    else:
        typer.echo(f"{true_name(name)}: {facts.images:,} images, {state(name, facts, data_dir)}")
        describe_published_splits(true_name(name))
    describe_correlations(true_name(name))
    tell(f"\nContact sheet: `disentangle data sheet {name}`")


def describe_correlations(name: str) -> None:
    """Print the named correlations of a dataset, if it has any."""
    from disentangle.contracts.correlation_settings import settings_of

    source, settings = settings_of(name)
    if settings:
        typer.echo(
            "\nCorrelated factors, for `--correlate NAME` (NAME=SIGMA for another width): " + source
        )
        print_beside([(setting, str(pairs)) for setting, pairs in settings.items()])


def describe_published_splits(name: str) -> None:
    """Print the published splits of a dataset that is not prepared, if it has any."""
    from disentangle.contracts.published_splits import splits_of

    if rows := [(s.name, s.about) for s in splits_of(name).values() if not s.unavailable]:
        typer.echo(f"\nPublished splits, for `--split NAME` (`disentangle data splits {name}`)")
        print_beside(rows)


SHOWN = 12
"""Values of a factor that are listed."""


def listed(names: Sequence[str]) -> str:
    """The first values of a factor, numbers in four significant digits if these differ.

    It is empty if the values say no more than their number: one or two, or the numbers from 0.
    """
    shown = list(names)
    with suppress(ValueError):
        short = [f"{float(name):.4g}" for name in names]
        shown = short if len(set(short)) == len(names) else shown
    if len(shown) < 3 or shown == [str(i) for i in range(len(shown))]:
        return ""
    return ", ".join([*shown[:SHOWN], *(["..."] if len(shown) > SHOWN else [])])


def values_line(dataset: "Labelled", factor: str) -> str:
    """The kind of a factor, unless it is categorical, and its first values or their range."""
    line, kind = listed(dataset.values.get(factor, ())), dataset.kind(factor)
    if kind.name == "categorical":
        return line
    if not line:
        return dataset.value_texts(factor).range
    unit = "" if factor in dataset.numbers else " labels"
    period = f", period {kind.period:g}{unit}" if kind.period else ""
    return f"{kind.name}{period}: {line}"


def describe(dataset: "Dataset") -> None:
    """Print a dataset's shape, source, fingerprint, factors with their values, and splits."""
    from disentangle.contracts.dataset import Labelled
    from disentangle.contracts.published_splits import names_for

    typer.echo(f"{dataset.name}: {len(dataset):,} {dataset.noun}, {dataset.size_in_words}")
    rows = [("source", dataset.source), ("fingerprint", dataset.fingerprint)]
    if isinstance(dataset, Labelled):
        sizes = [
            (factor if dataset.is_real(factor) else f"{factor} {size}")
            + ("" if factor in dataset.factors else " (not scored)")
            for factor, size in dataset.every_factor.items()
        ]
        rows.append((dataset.strength, ", ".join(sizes)))
        values = {factor: values_line(dataset, factor) for factor in dataset.every_factor}
        rows += [(factor, line) for factor, line in values.items() if line]
    parts = {split: len(index) for split, index in dataset.splits.items() if split != "all"}
    if parts:
        rows.append(("splits", ", ".join(f"{k} {n:,}" for k, n in parts.items())))
    if names := names_for(dataset.name):
        rows.append(("papers' splits", f"{', '.join(names)} (`disentangle data splits`)"))
    print_beside(rows)
