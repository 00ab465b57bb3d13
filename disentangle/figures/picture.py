"""A matplotlib figure that knows its provenance."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from disentangle._utils.versions import made_by
from disentangle.figures.image_grids import check_suffix, save_figure

NOTEBOOK = 110
"""Dots per inch of a figure in a notebook."""


class Picture(Figure):
    """A matplotlib figure of runs. A notebook shows it; `save` writes it with its provenance.

    Attributes:
        about: a description of the runs.
        shows: what is seen, in a few words.
        caption: the text at the top, also if it is not drawn.
    """

    about = shows = caption = ""

    def save(self, path: str | Path) -> Path:
        """Write the figure as PNG, PDF or SVG, with its texts in the metadata; return the path.

        Raises:
            UsageError: the file name has another suffix.
        """
        path = Path(path)
        check_suffix(path)
        texts = {"software": made_by(), "source": self.about}
        texts |= {"title": self.shows, "caption": self.caption}
        save_figure(self, path, **texts)
        return path

    def _repr_png_(self) -> bytes:
        """The figure in a notebook in which matplotlib's own display is not set up."""
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=NOTEBOOK)
        return file.getvalue()
