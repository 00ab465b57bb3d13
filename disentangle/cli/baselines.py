"""`disentangle baselines`: score the codes that do not come from a trained model."""

from typing import Annotated

import typer

from disentangle.cli.output import fail_if_any, open_dataset, show_baselines
from disentangle.cli.parameters import (
    RESULTS,
    AsJson,
    DataDir,
    DatasetName,
    Device,
    Factors,
    File,
    MetricNames,
    ProtocolName,
    Results,
    ScoredSplit,
    ScoreSeed,
    names,
    print_json,
)


def baselines(
    dataset: DatasetName,
    metric: MetricNames = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="baseline to score: oracle, rotation, pca, ica, untrained, pixels or noise; "
            "repeatable",
            show_default="all",
        ),
    ] = None,
    protocol: ProtocolName = "locatello2019",
    seed: ScoreSeed = 0,
    split: ScoredSplit = None,
    factors: Factors = None,
    device: Device = "auto",
    as_json: AsJson = False,
    results: Results = RESULTS,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Score baselines: codes that do not come from a trained model.

    Their scores, from noise to the oracle (the factors themselves), show what a score is worth.
    """
    from disentangle._utils.console import counting, say
    from disentangle.scoring.baselines import baselines as score_baselines
    from disentangle.scoring.baselines import unwritten_of

    opened = open_dataset(dataset, data_dir=data_dir, file=file)
    with counting(f"encoding {opened.name}") as progress:
        scores_of = score_baselines(
            opened,
            metric,
            only=only,
            seed=seed,
            protocol=protocol,
            split=split,
            factors=names(factors),
            results=results,
            device=device,
            progress=progress,
            say=say,
        )
    if as_json:
        print_json({name: scores.as_dict() for name, scores in scores_of.items()})
    else:
        show_baselines(scores_of)
    problems = dict.fromkeys(why for s in scores_of.values() for why in s.failed.values())
    fail_if_any([*problems, *(f"scores not written: {why}" for why in unwritten_of(scores_of))])
