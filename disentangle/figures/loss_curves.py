"""The loss and the quantities in it over training, one panel each."""

from typing import TYPE_CHECKING

from disentangle.errors import DisentangleError
from disentangle.figures.canvas import COLUMN, EDGE, SMALL, Canvas, short, title
from disentangle.figures.palette import INK
from disentangle.runs.run import Run
from disentangle.runs.training_log import shown

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

LEFT, RIGHT, BELOW = 0.62, 0.12, 0.36  # inches around the panels
HIGH, APART = 0.62, 0.26  # inches, of a panel, and from one to the next with its name


def plot_curves(run: Run, *, caption: bool = True) -> "Picture":
    """Draw the loss, the quantities in it and the number of active latents over training.

    A quantity is drawn without its weight in the loss, in nats per image.

    Args:
        run: the run.
        caption: True to draw the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        DisentangleError: the log is empty, as that of imported weights.

    Example:
        `plot_curves(run).save("curves.pdf")`
    """
    log = run.log
    if not log:
        raise DisentangleError(f"{run.path}: its log is empty, so there are no curves to draw")
    steps = [entry["step"] for entry in log]
    panels: dict[str, list[tuple[int, float]]] = {}
    for step, entry in zip(steps, log, strict=True):
        for name, value in {**shown(entry), "active latents": entry.get("active")}.items():
            if value is not None:
                panels.setdefault(name, []).append((step, value))
    shows = f"loss and its terms during training, {short(run)}"
    height = len(panels) * (HIGH + APART) + BELOW
    canvas = Canvas(title(run), COLUMN, height, shows=shows, caption=caption)
    width = COLUMN - LEFT - RIGHT
    first = None
    for number, (name, points) in enumerate(panels.items()):
        y = canvas.head + EDGE + number * (HIGH + APART) + APART
        axes = canvas.axes(LEFT, y, width, HIGH, sharex=first)
        first = first or axes
        marker = "." if len(points) == 1 else None
        axes.plot(*zip(*points, strict=True), color=INK, linewidth=0.9, marker=marker)
        axes.spines[["top", "right"]].set_visible(False)
        axes.locator_params(axis="y", nbins=3)
        axes.tick_params(labelbottom=number == len(panels) - 1)
        canvas.text(LEFT, y - 0.04, name, va="bottom")
    axes.set_xlabel("step", fontsize=SMALL, labelpad=1)
    if len(steps) > 1:
        axes.set_xlim(0, steps[-1])
    return canvas.figure
