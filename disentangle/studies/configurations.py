"""The configurations of a study: the order in which their runs are made, and which are whole."""

from collections.abc import Hashable, Mapping

from disentangle.studies.jobs import Job, JobState


def configuration_of(job: Job) -> Hashable:
    """The configuration of a job: equal for runs that differ only in the seed."""
    return job.record.data, job.record.group


def by_configuration(states: Mapping[Job, JobState]) -> dict[Hashable, list[Job]]:
    """Configuration -> its jobs, in the order of the study."""
    groups: dict[Hashable, list[Job]] = {}
    for job in states:
        groups.setdefault(configuration_of(job), []).append(job)
    return groups


def unfinished_jobs(states: Mapping[Job, JobState]) -> list[Job]:
    """The jobs to run, neither done nor failed, in the order that makes configurations whole.

    Trained runs that lack scores or figures come first, then unfinished runs, then the other runs
    of configurations that have begun, then the rest. Within each of these, the seeds of a
    configuration follow one another, and configurations keep the order of the study.
    """
    ranked: list[tuple[int, int, Job]] = []
    for place, jobs in enumerate(by_configuration(states).values()):
        begun = any(states[job] in ("done", "unscored", "unfinished") for job in jobs)
        ranks = {"unscored": 0, "unfinished": 1, "new": 2 if begun else 3}
        ranked += [(ranks[states[job]], place, job) for job in jobs if states[job] in ranks]
    return [job for _, _, job in sorted(ranked, key=lambda one: one[:2])]


def whole_configurations(states: Mapping[Job, JobState]) -> tuple[int, int]:
    """The number of configurations whose runs are all done, and the number of configurations."""
    groups = by_configuration(states).values()
    return sum(all(states[job] == "done" for job in jobs) for jobs in groups), len(groups)
