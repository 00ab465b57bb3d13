"""Runs of a study on their way to another machine and back; `borrowed-gpu.sh` uses this.

    python benchmarks/travelling_runs.py pack STUDY.toml RESULTS FOLDER --room BYTES
    python benchmarks/travelling_runs.py bring STUDY.toml RESULTS FOLDER OUT
    python benchmarks/travelling_runs.py whole STUDY.toml RESULTS

`pack` writes to FOLDER what the study continues from: of a run that has begun everything, and of
one that is done its record and scores, which are enough for `sweep` to leave it out. `bring` writes
to OUT the runs that are not in the archives in FOLDER, or have changed since. `whole` prints the
configurations of the study with the number of runs that are done.
"""

import argparse
import hashlib
import json
import re
import shutil
import sys
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from zipfile import ZipFile

import disentangle
from disentangle import DisentangleError, Run
from disentangle.exports.archive import COMPRESSED
from disentangle.exports.archive_format import MANIFEST, files_in
from disentangle.runs.checkpoint import read_progress
from disentangle.runs.collection import load_all
from disentangle.runs.labels import LABEL
from disentangle.runs.layout import RECORD, SCORES
from disentangle.studies.configurations import by_configuration, whole_configurations
from disentangle.studies.jobs import Job, JobState
from disentangle.studies.plan import load_plan
from disentangle.studies.sweep import states_of, summary_line

OVERHEAD = 1_000
"""Maximum bytes that a file adds to an archive beside its content: its name, its digest."""


class Room(NamedTuple):
    """The room for archives: their number, and the bytes of each and of all together."""

    archives: int
    each: int
    together: int


BACK = Room(6, 16 * 2**20, 63 * 2**20)
"""What comes back: 8 files, two of them text, at most 16 MiB each and 64 MiB together."""


class Parcel(NamedTuple):
    """A run that travels, and its bytes in an archive."""

    run: Run
    size: int


def parcel(run: Run) -> Parcel:
    """A run with the bytes of its files in an archive."""
    files = [run.path / name for name in files_in(run.path)]
    return Parcel(run, sum(packed_size(file) + OVERHEAD for file in files))


def packed_size(file: Path) -> int:
    """The bytes of a file in an archive, which compresses text."""
    if file.suffix in COMPRESSED:
        return file.stat().st_size
    return len(zlib.compress(file.read_bytes()))


def step_of(run: Run) -> int:
    """The step of a run's checkpoint; 0 if it has none."""
    return read_progress(run.checkpoint_path)[0] if run.checkpoint_path.exists() else 0


def by_worth(runs: Iterable[Run]) -> list[Run]:
    """Runs in the order in which they travel: finished ones, then those trained furthest."""
    return sorted(runs, key=lambda run: (not run.finished, -step_of(run)))


def without_weights(run: Run, folder: Path, files: Iterable[str]) -> Run:
    """Copy some files of a run to the same place in a results folder; return the copy."""
    target = folder.joinpath(*run.path.resolve().parts[-4:])
    target.mkdir(parents=True)
    for name in files:
        if (run.path / name).exists():
            shutil.copy2(run.path / name, target / name)
    return Run(target, run.record)


def filled(parcels: Iterable[Parcel], room: Room) -> tuple[list[list[Run]], list[Parcel]]:
    """Distribute runs over archives: each into the first that has room for it.

    Returns:
        The runs of each archive, and those for which there was no room.
    """
    archives: list[list[Run]] = []
    sizes: list[int] = []
    left_out = []
    for one in parcels:
        places = (n for n, size in enumerate(sizes) if size + one.size <= room.each)
        place = next(places, len(sizes))
        if place == room.archives or one.size > room.each or sum(sizes) + one.size > room.together:
            left_out.append(one)
            continue
        if place == len(sizes):
            archives.append([])
            sizes.append(0)
        archives[place].append(one.run)
        sizes[place] += one.size
    return archives, left_out


def write(archives: Iterable[list[Run]], folder: Path) -> None:
    """Write archives of runs to a folder, numbered from 1."""
    for number, runs in enumerate(archives, 1):
        disentangle.export(runs, folder / f"runs-{number}.zip", force=True, say=print)


def pack(study: Path, results: Path, folder: Path, room: int) -> bool:
    """Write what a study continues from to a folder; True, as nothing is lost that stays here."""
    begun, rest = [], []
    for job, state in load_states(study, results).items():
        run, damage = job.look()
        if damage:
            print(f"not packed: {damage}")
        elif run is not None:
            (begun if state in ("unscored", "unfinished") else rest).append(run)
    with TemporaryDirectory() as temporary:
        light = [without_weights(run, Path(temporary), (RECORD, SCORES, LABEL)) for run in rest]
        parcels = [parcel(run) for run in (*light, *by_worth(begun))]
        archives, left_out = filled(parcels, Room(1, room, room))
        write(archives, folder)
    for one in left_out:
        print(
            f"not packed: {describe(one)}, as there is no room: the other machine would begin it "
            "again"
        )
    return True


def bring(study: Path, results: Path, folder: Path, out: Path) -> bool:
    """Write the runs that are new or have changed to archives; True if all of them fit."""
    runs, problems = load_all(results / study.stem)
    for problem in problems:
        print(f"not brought: {problem}")
    digests = carried(folder)
    changed = by_worth(run for run in runs if not is_carried(run, digests))
    with TemporaryDirectory() as temporary:
        parcels = []
        for run in changed:
            one = parcel(run)
            if run.finished and one.size > BACK.each:
                print(f"without weights: {describe(one)}, more than an archive may have")
                one = parcel(
                    without_weights(run, Path(temporary), (RECORD, SCORES, LABEL, "log.jsonl"))
                )
            parcels.append(one)
        archives, left_out = filled(parcels, BACK)
        write(archives, out)
    for one in left_out:
        print(f"not brought: {describe(one)}, as there is no room")
    print(f"{len(changed) - len(left_out)} of {len(changed)} new or changed runs are brought")
    return not (left_out or problems)


def carried(folder: Path) -> dict[str, str]:
    """The place of each file in the archives in a folder -> its SHA-256."""
    digests = {}
    for path in folder.glob("*.zip"):
        with ZipFile(path) as archive:
            manifest = json.loads(archive.read(MANIFEST))
        digests |= {name: file["sha256"] for name, file in manifest["files"].items()}
    return digests


def is_carried(run: Run, digests: Mapping[str, str]) -> bool:
    """True if all files of a run are in archives with these digests."""
    place = "/".join(run.path.resolve().parts[-4:])
    return all(
        digests.get(f"{place}/{name}") == hashlib.sha256((run.path / name).read_bytes()).hexdigest()
        for name in files_in(run.path)
    )


def describe(one: Parcel) -> str:
    """A run that travels in words: where it is, how far it was trained, its size."""
    state = "finished" if one.run.finished else f"step {step_of(one.run):,}"
    return f"{one.run.path} ({state}, {one.size / 1e6:.1f} MB)"


def whole(study: Path, results: Path) -> bool:
    """Print the configurations of a study with the number of runs that are done; True."""
    plan = load_plan(study, results=results, say=print)
    states = states_of(plan)
    for jobs in by_configuration(states).values():
        done = sum(states[job] == "done" for job in jobs)
        what = "whole" if done == len(jobs) else f"{done} of {len(jobs)} done"
        print(f"  {what:>12}: {re.sub(',? seed=.*', '', jobs[0].name)}")
    print(summary_line(plan, states))
    print("{} of {} configurations are whole".format(*whole_configurations(states)))
    return True


def load_states(study: Path, results: Path) -> dict[Job, JobState]:
    """The runs of a study file and their states in a results folder."""
    return states_of(load_plan(study, results=results, say=print))


def main() -> int:
    """Run a sub-command; return 1 if runs were left behind, or the exit code of an error."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, paths in {"pack": ["folder"], "bring": ["folder", "out"], "whole": []}.items():
        command = commands.add_parser(name)
        for path in ("study", "results", *paths):
            command.add_argument(path, type=Path)
        if name == "pack":
            command.add_argument("--room", type=int, required=True, metavar="BYTES")
    options = vars(parser.parse_args())
    action = {"pack": pack, "bring": bring, "whole": whole}[options.pop("command")]
    try:
        return 0 if action(**options) else 1
    except DisentangleError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
