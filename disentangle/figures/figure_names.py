"""Names of the files of figures over runs, the same for `figure` and for studies."""

from collections.abc import Sequence

from disentangle._utils.text import file_stem

MOST = 2
"""Maximum number of scores that a name lists."""


def figure_name(
    kind: str, scores: Sequence[str] | None = (), knob: str | None = None, dataset: str = ""
) -> str:
    """Name a figure's file, without its suffix, such as `effect-mig-beta`.

    Args:
        kind: kind of the figure.
        scores: names of the scores that were asked for.
        knob: the hyper-parameter of an effect.
        dataset: the dataset, if there are figures of several.
    """
    listed = (scores or ()) if len(scores or ()) <= MOST else ()
    return file_stem(kind, *listed, knob or "", dataset)
