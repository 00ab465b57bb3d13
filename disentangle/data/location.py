"""Locations of a dataset's files, what its authors publish, and how to get missing files."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle.data.download import Remote, checksum, fetch
from disentangle.data.file_kinds import unusable
from disentangle.errors import DisentangleError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Crop:
    """The central square that preparation cuts out of each published image.

    A run's page crops a reader's own image in the same way, if it has the size of these images.

    Attributes:
        side: the side of the square, in pixels.
        width: the width of the published images, in pixels.
        height: their height, in pixels.
    """

    side: int
    width: int
    height: int

    def __post_init__(self) -> None:
        """Check that the square is within the images."""
        if not 0 < self.side <= min(self.width, self.height):
            raise ValueError(f"{self.width} x {self.height} pixels have no square of {self.side}")


@dataclass(frozen=True, kw_only=True)
class About:
    """Facts about a dataset before it is opened; `@about(...)` attaches them to its function.

    Attributes:
        about: the dataset in a line, for `disentangle list`; a literal, read from the source.
        display: its name as papers write it, such as "dSprites"; a literal too.
        images: the published number of images; 0 if unknown.
        licence: the licence of the images, in a few words.
        home: URL of the authors' page.
        files: the published files; a dataset that needs a file from the user lists it here.
        drawn: True if the images can be generated without any file.
        crop: the part of a published image that is kept; None for all of it.
    """

    about: str = ""
    display: str = ""
    images: int = 0
    licence: str = "unstated"
    home: str = ""
    files: tuple[Remote, ...] = ()
    drawn: bool = False
    crop: Crop | None = None

    @property
    def downloadable(self) -> bool:
        """True if all published files have an address."""
        return all(remote.urls for remote in self.files)

    @property
    def size(self) -> int | None:
        """The total size of the files in bytes; None unless each size is known."""
        sizes = [remote.size for remote in self.files]
        return sum(size for size in sizes if size) if all(sizes) else None


def about(known: About, **changes: Any) -> Callable[[F], F]:
    """Attach facts about a dataset to the function that opens it.

    Args:
        known: the facts.
        changes: fields of `About` that differ for this function.
    """

    def mark(function: F) -> F:
        function.about = replace(known, **changes)  # type: ignore[attr-defined]
        return function

    return mark


def about_of(opener: Any) -> About:
    """Return the facts about the dataset that this function opens."""
    attached = getattr(opener, "about", None)
    return attached if isinstance(attached, About) else About()


@dataclass(frozen=True, kw_only=True)
class Location:
    """The location of a dataset's files, and whether they may be downloaded.

    A dataset plugin is a function `open(location) -> Dataset`.

    Attributes:
        folder: the dataset's own folder, for its prepared images.
        name: the dataset's name, for messages.
        downloads: the folder of published files, shared by all datasets.
        file: the user's file or folder, which takes precedence.
        download: True if the network may be used.
        image_size: the side of the images in pixels, as the user asks; None for the default.
        channels: 1 (grey) or 3 (RGB), as the user asks; None for the default.
        say: called with a message before a long operation.
        progress: called with the number of images (or bytes) done, and of all.
    """

    folder: Path
    name: str = ""
    downloads: Path = field(default_factory=lambda: Path("downloads"))
    file: Path | None = None
    download: bool = False
    image_size: int | None = None
    channels: int | None = None
    say: Say = silent
    progress: Progress = silent

    def present(self, known: About) -> bool:
        """Return True if every published file is in the folder of downloads."""
        return bool(known.files) and all((self.downloads / f.name).exists() for f in known.files)

    def find(self, known: About) -> Path:
        """Return the user's file or folder, else the published file, downloaded if allowed.

        If the user's folder holds the only published file, that file is returned. If several files
        are published, their folder is returned.

        Raises:
            DisentangleError: nothing is there, or it is a device or a pipe; the message has a
                remedy.
        """
        if self.file is not None:
            path = usable(self.file, known)
            inside = path / known.files[0].name if len(known.files) == 1 else path
            return inside if inside.is_file() else path
        if not self.present(known):
            if not (self.download and known.downloadable):
                raise DisentangleError(self.missing(known))
            for remote in known.files:
                fetch(remote, self.downloads, say=self.say, progress=self.progress)
        return self.downloads / known.files[0].name if len(known.files) == 1 else self.downloads

    def provenance(self, known: About, *paths: Path) -> tuple[str, dict[str, str]]:
        """Return the `source` of these files for a run's record, and the checksum of each.

        A file with the published checksum is recorded as "official".
        """
        sums, sources = {}, []
        published = {remote.name: remote for remote in known.files}
        for path in paths:
            if path.is_dir():
                sources.append(f"folder {path.name}")
                continue
            remote = published.get(path.name, known.files[0] if len(known.files) == 1 else None)
            expected = remote.checksum if remote else None
            sums[path.name] = checksum(path, (expected or "sha256").partition(":")[0])
            if sums[path.name] == expected:
                sources.append("official")
            elif expected is None:
                sources.append(path.name)
            else:
                self.say(
                    f"{path}: not the published file (its checksum differs); this is noted in the "
                    "record of each run"
                )
                sources.append(f"{path.name}, not the published file")
        return "; ".join(dict.fromkeys(sources)), sums

    def missing(self, known: About) -> str:
        """Return a message for a missing dataset, with commands, URLs and licence."""
        problem = f"dataset '{self.name}' is not prepared, and no substitute is used. "
        command = f"\n  disentangle data prepare {self.name} --file PATH\n"
        if not known.downloadable:
            return (
                f"{problem}Get it from {known.home}, and prepare it with{command}"
                "where PATH is the folder of the published or of the extracted files"
            )
        names = ", ".join(remote.name for remote in known.files)
        them = "it" if len(known.files) == 1 else "them"
        size = f" ({known.size / 1e6:,.0f} MB)" if known.size else ""
        urls = "\n    ".join(url for remote in known.files for url in remote.urls)
        return (
            f"{problem}Prepare it with either{command}"
            f"where PATH is {names}, or a folder with {them} or the extracted files, or\n"
            f"  disentangle data prepare {self.name} --download{size}\n    {urls}\n"
            f"Licence: {known.licence}. {known.home}"
        )


def usable(path: Path | None, known: About | None = None) -> Path:
    """Return the path if it is a file or folder.

    Args:
        path: the user's file or folder.
        known: where it is published, for the message.

    Raises:
        DisentangleError: nothing is there; or it is a device or a pipe, which may never end, or an
            empty file, or a web page in place of one.
    """
    if path is None or not path.exists():
        raise DisentangleError(f"{path}: no such file or folder")
    if not (path.is_file() or path.is_dir()):
        raise DisentangleError(f"{path} is neither a regular file nor a folder")
    if path.is_file() and (problem := unusable(path)):
        urls = [url for remote in known.files for url in remote.urls] if known else []
        source = f", from {urls[0]}" if urls else ""
        raise DisentangleError(f"cannot use {path}: {problem}{source}")
    return path
