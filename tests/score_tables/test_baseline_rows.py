from disentangle.runs.scores import read_scores
from disentangle.score_tables.build import make_tables


def test_warning_names_the_rows_of_one_model_by_their_settings(variant):
    runs = [
        variant("a", values=[{"value": 0.05}], knobs={"beta": 1.0}),
        variant("b", values=[{"value": 0.5}], knobs={"beta": 4.0}),
    ]
    controls = {
        name: [score.model_copy(update={"value": value}) for score in read_scores(runs[0])]
        for name, value in (("oracle", 1.0), ("noise", 0.1))
    }
    (table,) = make_tables(runs, controls)
    assert "Caution: mig ranks noise (0.100) above beta-vae beta=1.0 (0.050)." in table.caption
