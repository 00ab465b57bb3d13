"""The runs of a study on disk: those in its folder, and those of the studies in its `runs_of`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from disentangle.contracts.published_splits import is_scored_part
from disentangle.errors import DisentangleError
from disentangle.runs.collection import load_all
from disentangle.runs.run import Run
from disentangle.runs.score_records import Score

if TYPE_CHECKING:
    from disentangle.scoring.request import ScoringRequest

FILE = "study.toml"
"""The copy of the study file in the study's folder."""


def load_study(folder: Path, above: tuple[Path, ...] = ()) -> tuple[list[Run], list[str]]:
    """Load the runs of a study; return them, and a message for each that cannot be read.

    The runs of a study in `runs_of` are in a folder beside this one. They show the scores that this
    study asks for, as in its own tables and figures.

    Args:
        folder: the study's folder.
        above: the folders of the studies that include this one.
    """
    runs, problems = load_all(folder)
    file = folder / FILE
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    if "runs_of" not in text:  # nothing is imported to find that out
        return runs, problems
    from disentangle.studies.plan import score_requests, scores_for
    from disentangle.studies.study_file import parse_study

    try:
        study = parse_study(text, file)
        asked = score_requests(study.scores, file)
        for each in asked:
            each.request.load()
    except DisentangleError as error:
        return runs, [*problems, f"runs of other studies are not shown: {error}"]
    answers: dict[tuple[Any, ...], bool] = {}
    for other in (folder.parent / Path(name).stem for name in study.runs_of):
        if other in (*above, folder):
            continue  # a circle, which `sweep` refuses
        if not other.is_dir():
            problems.append(f"{file}: runs_of: no folder {other}, with the runs of that study")
            continue
        included, unread = load_study(other, (*above, folder))
        for run in included:
            show_only(run, scores_for(run.record.dataset, asked), answers)
        runs, problems = [*runs, *included], [*problems, *unread]
    return runs, problems


def show_only(
    run: Run, requests: "Sequence[ScoringRequest]", answers: dict[tuple[Any, ...], bool]
) -> None:
    """Show of a run only the scores that were requested; its dataset is not opened.

    `answers` keeps what was found for equal scores of other runs on the same data.
    """

    lasting = run.finished and not run.checkpoint_path.exists()

    def shows(score: Score) -> bool:
        like = (score.key, run.record.data, lasting)
        if like not in answers:
            answers[like] = any(is_answer(score, run, each, lasting) for each in requests)
        return answers[like]

    run.shows = shows


def is_answer(score: Score, run: Run, request: "ScoringRequest", lasting: bool) -> bool:
    """True if a score of a run answers a request.

    A run without weights cannot be scored again: as in `Job.answers`, scores of an older version of
    a metric are `lasting` answers.
    """
    split = request.split or ("test" if run.record.dataset.view.get("hold_out") else None)
    if split is not None and not is_scored_part(score.view, split):
        return False
    if request.correlated != ("correlate" in score.view):
        return False
    # A factor that the scored part fixes is not scored, so what was chosen counts.
    trained = run.record.dataset
    chosen = request.factors or trained.view.get("factors", ())
    whole = request.factors or tuple(trained.factors)
    if score.view.get("factors", ()) != chosen and score.factors != whole:
        return False
    part = trained.model_copy(
        update={"view": score.view, "factors": dict.fromkeys(score.factors, 0)}
    )
    requests = request.scores_of(part, score.weights)
    return any(each.among([score]) or (lasting and each.among_older([score])) for each in requests)
