"""Charts: axis limits, gaps in lines where values are missing, labels that do not overlap."""

import math
import re

import pytest

from disentangle.figures.canvas import spread
from disentangle.reports.svg_charts import Line, bounds, line_chart, scale, thin, ticks


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 10, [0, 2.5, 5, 7.5, 10]),
        (0, 0.39, [0, 0.1, 0.2, 0.3]),
        (-3, 3, [-2, 0, 2]),
        (1, 1, [1]),
    ],
)
def test_ticks_are_round_and_within(low, high, found):
    assert ticks(low, high) == pytest.approx(found)


def test_long_log_is_thinned_and_keeps_its_ends():
    assert thin(3) == [0, 1, 2]
    chosen = thin(1001)
    assert len(chosen) == 80
    assert (chosen[0], chosen[-1]) == (0, 1000)
    assert chosen == sorted(set(chosen))


def test_early_values_far_above_the_rest_do_not_set_the_scale():
    steps = list(range(100, 4100, 100))
    late = [9.0] * 39
    assert bounds(steps, [Line("a", [1000.0, *late])])[1] == pytest.approx(9 * 1.04)
    assert bounds(steps, [Line("a", [20.0, *late])])[1] == pytest.approx(20 * 1.04)
    assert bounds(steps, [Line("a", [*late, 1000.0])])[1] == pytest.approx(1000 * 1.04)


def test_axis_starts_at_zero_unless_there_are_negative_values():
    assert bounds([1, 2, 3], [Line("a", [5.0, 5.0, 5.0])])[0] == 0
    assert bounds([1, 2, 3], [Line("a", [5.0, -1.0, -2.0])])[0] == -2
    assert bounds([1, 2, 3], [Line("a", [None, math.nan, None])]) == (0, 1)


def test_names_keep_apart_and_in_order():
    assert spread([1.0, 5.0], [2.0, 2.0], 9.0) == [1.0, 5.0]
    assert spread([4.0, 4.0, 8.0], [2.0, 2.0, 2.0], 9.0) == [3.0, 5.0, 8.0]
    assert spread([0.0, 0.0], [2.0, 2.0], 9.0) == [1.0, 3.0]
    assert spread([9.0, 9.0], [2.0, 2.0], 9.0) == [6.0, 8.0]
    assert spread([10, 11, 50], [13] * 3, 106.5, -6.5) == [4, 17, 50]
    assert spread([95, 96, 97], [13] * 3, 106.5, -6.5) == [74, 87, 100]


def test_line_is_broken_where_there_is_no_number():
    chart = line_chart("kl", "nats", [1, 2, 3, 4], [Line("kl", [1.0, math.nan, 3.0, None])])
    (path,) = re.findall(r'class="line c0" d="([^"]*)"', chart)
    assert path.count("M") == 2
    assert "L" not in path
    assert "nan" not in chart
    assert "kl ends at 3.000" in chart


def test_weak_lines_are_grey_and_only_counted():
    lines = [Line("z0", [1.0, 2.0]), Line("z1", [0.0, 0.0], strong=False)]
    chart = line_chart("KL", "nats", [1, 2], lines)
    assert chart.count('class="line weak"') == 1
    assert ">1 inactive</text>" in chart
    assert "z1" not in chart


def test_every_step_tells_its_values_to_a_pointer():
    chart = line_chart("KL", "nats", [100, 2000], [Line("z0", [1.0, 2.5])])
    assert re.findall(r"<title>([^<]*)", chart) == [
        "step 100\nz0 1.000\nnats",
        "step 2,000\nz0 2.500\nnats",
    ]


def test_names_from_strangers_are_escaped():
    chart = line_chart("<a>", "<b>", [1], [Line("</svg><script>", [1.0], end="<i>")])
    assert set(re.findall(r"<(\w+)", chart)) == {"svg", "path", "text", "rect", "title"}


def test_score_on_a_scale_has_its_baselines_beside_it():
    shown = scale(0.5, [("oracle", 1.0), ("noise", 0.0)])
    assert 'cx="75.0"' in shown
    assert re.findall(r'"mark" d="M([\d.]+)', shown) == ["145.0", "5.0"]
    assert scale(-12.0, []) == scale(0.5, [("oracle", 3.0)]) == ""
