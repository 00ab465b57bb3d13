"""Where a dataset's files may lie, what its authors publish, and how to get what is missing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle.data.download import Remote, checksum, fetch
from disentangle.errors import DisentangleError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class About:
    """What is known of a dataset before it is opened; `@about(...)` puts it on its function.

    Attributes:
        images: how many there are, as published; 0 where it is not known.
        licence: under which the images may be used, in a few words.
        home: the address of their authors' page.
        files: what the authors publish; a dataset that takes a file of the user's names it here.
        drawn: whether the images can be made without any file.
    """

    images: int = 0
    licence: str = "unstated"
    home: str = ""
    files: tuple[Remote, ...] = ()
    drawn: bool = False

    @property
    def size(self) -> int | None:
        """Return the bytes of all files, if each is known."""
        sizes = [remote.size for remote in self.files]
        return sum(size for size in sizes if size) if all(sizes) else None


def about(known: About) -> Callable[[F], F]:
    """Put what is known of a dataset on the function that opens it."""

    def mark(function: F) -> F:
        function.about = known  # type: ignore[attr-defined]
        return function

    return mark


def about_of(opener: Any) -> About:
    """Return what is known of the dataset that this function opens."""
    found = getattr(opener, "about", None)
    return found if isinstance(found, About) else About()


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where a dataset's files may lie, and what may be done to get them.

    A dataset plugin is a function `open(location) -> Dataset`.

    Attributes:
        folder: the dataset's own, for what it prepares.
        name: the dataset's, for messages.
        downloads: the folder of published files, which datasets share.
        file: a file or folder of the user's, which goes before everything else.
        download: whether the network may be used.
        say: tells the user what takes long.
        progress: told how many images, or bytes, are done.
    """

    folder: Path
    name: str = ""
    downloads: Path = field(default_factory=lambda: Path("downloads"))
    file: Path | None = None
    download: bool = False
    say: Say = silent
    progress: Progress = silent

    def present(self, known: About) -> bool:
        """Say whether every published file lies in the folder of downloads."""
        return bool(known.files) and all((self.downloads / f.name).exists() for f in known.files)

    def find(self, known: About) -> Path:
        """Return the user's own file or folder, else the published file, downloaded if allowed.

        Of a folder that holds the one published file, that file is returned. Where several files
        are published, their folder is.

        Raises:
            DisentangleError: nothing is there, or a device or a pipe; the message says what helps.
        """
        if self.file is not None:
            path = usable(self.file)
            inside = path / known.files[0].name if len(known.files) == 1 else path
            return inside if inside.is_file() else path
        if not self.present(known):
            if not self.download:
                raise DisentangleError(self.missing(known))
            for remote in known.files:
                fetch(remote, self.downloads, say=self.say, progress=self.progress)
        return self.downloads / known.files[0].name if len(known.files) == 1 else self.downloads

    def provenance(self, known: About, *paths: Path) -> tuple[str, dict[str, str]]:
        """Return what a run's record says of these files, and the checksum of each.

        A file that is the published one, by its checksum, is called official.
        """
        sums, said = {}, []
        published = {remote.name: remote for remote in known.files}
        for path in paths:
            if path.is_dir():
                said.append(f"folder {path.name}")
                continue
            remote = published.get(path.name, known.files[0] if len(known.files) == 1 else None)
            expected = remote.checksum if remote else None
            sums[path.name] = checksum(path, (expected or "sha256").partition(":")[0])
            if sums[path.name] == expected:
                said.append("official")
            elif expected is None:
                said.append(path.name)
            else:
                self.say(f"{path}: not the published file, by its checksum; the record will say so")
                said.append(f"{path.name}, not the published file")
        return "; ".join(dict.fromkeys(said)), sums

    def missing(self, known: About) -> str:
        """Return what to tell a user whose dataset is not there: commands, addresses, licence."""
        names = ", ".join(remote.name for remote in known.files)
        them = "it" if len(known.files) == 1 else "them"
        size = f" ({known.size / 1e6:,.0f} MB)" if known.size else ""
        urls = "\n    ".join(url for remote in known.files for url in remote.urls)
        return (
            f"the images of '{self.name}' are not here, and nothing else takes their place. "
            f"Either\n  disentangle data prepare {self.name} --from PATH\n"
            f"where PATH is {names}, or a folder that holds {them} or the extracted files, or\n"
            f"  disentangle data prepare {self.name} --download{size}\n    {urls}\n"
            f"Licence: {known.licence}. {known.home}"
        )


def usable(path: Path | None) -> Path:
    """Return the path of a file or folder that is there.

    Raises:
        DisentangleError: it is not, or is a device or a pipe, whose reading may never end.
    """
    if path is None or not path.exists():
        raise DisentangleError(f"{path}: no such file or folder")
    if not (path.is_file() or path.is_dir()):
        raise DisentangleError(f"{path} is neither a regular file nor a folder: name one of these")
    return path
