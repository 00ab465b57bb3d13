"""The state of datasets: prepared, downloaded or missing, and where."""

import shlex
from math import prod
from pathlib import Path
from urllib.parse import unquote

from disentangle._utils.files import data_folder
from disentangle.contracts import registry
from disentangle.data import npz
from disentangle.data.download import verify as check_file
from disentangle.data.loading import location, opener
from disentangle.data.location import About, about_of
from disentangle.data.manifest import read_manifest
from disentangle.data.names import is_path, reference_of
from disentangle.data.prepared import read_images, read_prepared
from disentangle.errors import DisentangleError

WIDTH = 60
"""Maximum number of characters of a source or folder shown in a list."""


def about(name: str) -> About:
    """A dataset's description, available before it is opened; a path or reference has none."""
    return About() if is_path(name) or reference_of(name) else about_of(opener(name))


def state(name: str, known: About, data_dir: str | Path | None = None) -> str:
    """Describe whether a dataset is ready, with the command that prepares it if it is not."""
    place = location(name, data_dir)
    prepared = state_of(place.folder)
    if prepared:
        return prepared
    if place.present(known):
        return f"downloaded, not prepared; run `disentangle data prepare {name}`"
    if known.drawn or not known.files:
        return "generated on first use"
    other = " or `--download`" if known.downloadable else ""
    return f"not available; run `disentangle data prepare {name} --file PATH`{other}"


def state_of(folder: Path) -> str:
    """Describe what is prepared in a folder without reading the images; empty if nothing is."""
    try:
        manifest = read_manifest(folder)
        read_images(folder, manifest)
    except FileNotFoundError:
        exists = (folder / "prepared.json").exists()
        return "damaged (images missing); will be prepared again" if exists else ""
    except (OSError, ValueError):
        return "damaged, or from another version; will be prepared again"
    size = prod(manifest.shape) / 1e6
    return f"ready: {manifest.shape[0]:,} images, {size:,.0f} MB, {short_source(manifest.source)}"


def short_source(source: str) -> str:
    """A source of limited length, which ends at a comma if it is cut."""
    if len(source) <= WIDTH:
        return source
    cut = source[: WIDTH - 3]
    whole, comma, _ = cut.rpartition(", ")
    return f"{whole}{comma}..." if comma else f"{cut}..."


def short_folder(folder: Path) -> str:
    """A folder of prepared images as a shell pattern of limited length, which keeps its digest."""
    if len(str(folder)) <= WIDTH:
        return str(folder)
    kind, name, size = folder.parts
    return f"{kind}/*-{name.rpartition('-')[2]}/{size}"


def unregistered_states(data_dir: str | Path | None = None) -> list[tuple[str, Path, str]]:
    """Prepared images of the user's own paths and of references: name, folder and state of each."""
    root = data_folder(data_dir)
    states = []
    for kind in ("own", "references"):
        for folder in sorted(path.parent for path in root.glob(f"{kind}/*/*/prepared.json")):
            # The folder's name ends with a digest; see `location`.
            stem = folder.parent.name.rpartition("-")[0]
            name = f"./{stem}" if kind == "own" else unquote(stem)
            states.append((name, folder.relative_to(root), state_of(folder)))
    return states


def preparing(
    name: str,
    known: About,
    data_dir: str | Path | None = None,
    image_size: int | None = None,
    channels: int | None = None,
) -> str:
    """The shell command that prepares a dataset, in backticks."""
    words = ["disentangle", "data", "prepare", shlex.quote(name)]
    options = {"--data-dir": data_dir, "--image-size": image_size, "--channels": channels}
    words += [f"{option} {shlex.quote(str(v))}" for option, v in options.items() if v is not None]
    if known.files and not known.drawn and not location(name, data_dir).present(known):
        return f"`{' '.join(words)} --file PATH` (or `--download`)"
    return f"`{' '.join(words)}`"


def verify(
    name: str,
    *,
    data_dir: str | Path | None = None,
    image_size: int | None = None,
    channels: int | None = None,
) -> list[str]:
    """Verify a prepared dataset by reading all of it; return a line per verified file or folder.

    Raises:
        DisentangleError: the dataset is not prepared, or has changed since; the message gives the
            command that fixes it.
    """
    place = location(name, data_dir, image_size=image_size, channels=channels)
    description, folder = about(name), place.folder
    verified = []
    for remote in description.files:
        path = place.downloads / remote.name
        problem = check_file(remote, path) if path.exists() else None
        if problem:
            raise DisentangleError(f"{problem}: delete the file and download it again")
        if path.exists():
            matches = "as published" if remote.checksum else "no published checksum"
            verified.append(f"{path}: {matches}")
    command = preparing(name, description, data_dir, image_size, channels)
    try:
        manifest = read_manifest(folder)
        read_prepared(folder, manifest, thorough=True)
    except FileNotFoundError:
        reference = reference_of(name)
        if reference and about_of(registry.collections.load(reference.prefix)).drawn:
            problem = f"'{name}' is drawn whenever it is opened, so nothing is kept to verify"
        else:
            problem = f"'{name}' is not prepared in {folder}. Run {command}."
        raise DisentangleError(problem) from None
    except (OSError, ValueError) as error:
        raise DisentangleError(
            f"{folder}: {npz.reason(error)}. Delete this folder, then run {command}."
        ) from error
    content = f"{manifest.shape[0]:,} images, unchanged, fingerprint {manifest.fingerprint}"
    return [*verified, f"{folder}: {content}"]
