"""The colours of figures, with enough contrast on white and distinct for colour-blind readers."""

SERIES = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # green
    "#882255",  # wine
    "#CC79A7",  # pink
    "#332288",  # indigo
    "#B15928",  # brown
    "#000000",
)
"""Colours of lines and markers: at least 3:1 on white, told apart in each kind of colour vision."""
INK = "#000000"
GREY = "#666666"
"""Secondary text, as that on inactive latents: at least 4.5:1 on white."""
FAINT = "#8C8C8C"
"""Secondary lines: at least 3:1 on white."""
SHADES = ("#262626", "#8C8C8C", "#CCCCCC", "#FFFFFF")
"""Fills of bars, which have black edges."""
MARKERS = "osD^vP*Xdp"
STYLES = ("-", "--", "-.", ":")


def series(number: int) -> dict[str, str]:
    """The colour and the marker of a series, and the style of its line with `line_of`."""
    return {"color": SERIES[number % len(SERIES)], "marker": MARKERS[number % len(MARKERS)]}


def line_of(number: int) -> str:
    """The style of a series' line."""
    return STYLES[number % len(STYLES)]
