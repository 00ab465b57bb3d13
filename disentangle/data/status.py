"""Which datasets are prepared, and where."""

import shlex
from math import prod
from pathlib import Path

from disentangle._utils.files import data_folder
from disentangle.data import npz
from disentangle.data.download import verify as check_file
from disentangle.data.loading import is_path, location, opener
from disentangle.data.location import About, about_of
from disentangle.data.manifest import read_manifest
from disentangle.data.prepared import read_images, read_prepared
from disentangle.data.user_images import own_folder
from disentangle.errors import DisentangleError

WIDTH = 60
"""Letters of a source that are shown in a list."""


def about(name: str) -> About:
    """Return what is known of a dataset before it is opened."""
    return about_of(opener(name))


def state(name: str, known: About, data_dir: str | Path | None = None) -> str:
    """Return whether a dataset is ready, in words."""
    place = location(name, data_dir)
    prepared = state_of(place.folder)
    if prepared:
        return prepared
    if place.present(known):
        return f"downloaded, not prepared: disentangle data prepare {name}"
    if known.drawn or not known.files:
        return "made when first used"
    return f"not here: disentangle data prepare {name} --from PATH, or --download"


def state_of(folder: Path) -> str:
    """Return what is prepared in a folder, in words, without reading it; empty if nothing is."""
    try:
        manifest = read_manifest(folder)
        read_images(folder, manifest)
    except FileNotFoundError:
        there = (folder / "prepared.json").exists()
        return "damaged: its images are gone; will be prepared again" if there else ""
    except (OSError, ValueError):
        return "damaged, or of another version: will be prepared again"
    source = manifest.source
    source = source if len(source) <= WIDTH else f"{source[: WIDTH - 3]}..."
    size = prod(manifest.shape) / 1e6
    return f"ready: {manifest.shape[0]:,} images, {size:,.0f} MB, {source}"


def own_states(data_dir: str | Path | None = None) -> list[tuple[str, Path, str]]:
    """Return the images of the user's own: each with its name, its folder and its state."""
    root = data_folder(data_dir)
    folders = sorted(path.parent for path in root.glob("own/*/*/prepared.json"))
    # The folder's name ends with a mark of the path; see `location`.
    names = [f"./{folder.parent.name.rpartition('-')[0]}" for folder in folders]
    return [
        (name, folder.relative_to(root), state_of(folder))
        for name, folder in zip(names, folders, strict=True)
    ]


def preparing(
    name: str,
    known: About,
    data_dir: str | Path | None = None,
    image_size: int | None = None,
    channels: int | None = None,
) -> str:
    """Return the command that prepares a dataset, as it has to be typed."""
    words = ["disentangle", "data", "prepare", shlex.quote(name)]
    options = {"--data-dir": data_dir, "--image-size": image_size, "--channels": channels}
    words += [f"{option} {shlex.quote(str(v))}" for option, v in options.items() if v is not None]
    if known.files and not known.drawn and not location(name, data_dir).present(known):
        words.append("--from PATH, or with --download in its place")
    return " ".join(words)


def verify(
    name: str,
    *,
    data_dir: str | Path | None = None,
    image_size: int | None = None,
    channels: int | None = None,
) -> list[str]:
    """Read a prepared dataset through; return what was found right, in words.

    Raises:
        DisentangleError: it is not prepared, or not what was written; the message says what helps.
    """
    place = location(name, data_dir)
    known = About() if is_path(name) else about(name)
    folder = own_folder(place, image_size, channels) if is_path(name) else place.folder
    found = []
    for remote in known.files:
        path = place.downloads / remote.name
        problem = check_file(remote, path) if path.exists() else None
        if problem:
            raise DisentangleError(f"{problem}: delete it, and get it again")
        if path.exists():
            found.append(f"{path}: " + ("as published" if remote.checksum else "no published sum"))
    command = preparing(name, known, data_dir, image_size, channels)
    try:
        manifest = read_manifest(folder)
        read_prepared(folder, manifest, thorough=True)
    except FileNotFoundError:
        raise DisentangleError(f"'{name}' is not prepared in {folder}: {command}") from None
    except (OSError, ValueError) as error:
        raise DisentangleError(
            f"{folder}: {npz.reason(error)}; delete that folder, and: {command}"
        ) from error
    said = f"{manifest.shape[0]:,} images as they were written, fingerprint {manifest.fingerprint}"
    return [*found, f"{folder}: {said}"]
