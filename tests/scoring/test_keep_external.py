"""Scores of encoders and codes from elsewhere, kept under a name."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from filelock import FileLock, Timeout

from disentangle.data.loading import load_dataset
from disentangle.errors import UnwrittenWarning, UsageError
from disentangle.runs.external import load_externals
from disentangle.runs.labels import write_label
from disentangle.runs.scores import read_scores
from disentangle.scoring import encoders, keep_external
from disentangle.scoring.keep_external import OF_WEIGHTS, ROUNDING, alike, signature_of
from disentangle.scoring.score_external import score_codes, score_encoder
from disentangle.training.train import train

pytestmark = pytest.mark.usefixtures("strangers")
MIG = ["mig:samples=75"]


def mass(x):
    return torch.stack([x.mean((1, 2, 3)), x[:, 0, :20].mean((1, 2))], 1)


def other(x):
    return mass(x) + x[:, 0, 5:9, 5:6].flatten(1)[:, :2]


@pytest.fixture
def keep(tmp_path):
    """A function that scores an encoder, by default under the name `mine`."""

    def run(encoder=mass, metrics=MIG, name="mine", **options):
        return score_encoder(
            encoder, "tiny", metrics, device="cpu", name=name, results=tmp_path, **options
        )

    return run


@pytest.fixture
def keep_codes(tmp_path):
    """A function that scores codes of the dataset `tiny`, by default under the name `mine`."""

    def run(change=0.0, name="mine", columns=slice(None), names=None, **options):
        data = load_dataset("tiny")
        labels = data.labels(np.arange(len(data)))
        codes = labels + change
        names = list(data.factors)[columns] if names is None else names or None
        return score_codes(
            codes,
            labels[:, columns],
            metrics=MIG,
            names=names,
            name=name,
            results=tmp_path,
            **options,
        )

    return run


def only(results):
    (external,) = load_externals(results)[0]
    return external


def test_without_a_name_nothing_is_written(keep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keep(name="")
    assert not list(tmp_path.iterdir())


def test_record_says_what_was_scored(keep, tmp_path):
    scores = keep()
    external = only(tmp_path)
    record = external.record
    assert external.path == tmp_path / "default" / "tiny" / "external" / record.id
    assert (record.kind, record.name, record.latents, record.takes) == (
        "encoder",
        "mine",
        2,
        "float",
    )
    assert record.origin["reference"] == f"{__name__}:mass"
    assert record.dataset.fingerprint == load_dataset("tiny").fingerprint
    assert read_scores(external) == scores.records
    assert {score.weights for score in scores.records} == {record.id}


def test_weights_of_a_module_are_in_its_record(keep, tmp_path):
    keep(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4096, 3)))
    assert len(only(tmp_path).record.origin["weights"]) == 16


def test_other_scores_of_the_same_encoder_are_added(keep, tmp_path):
    keep()
    keep(metrics=["sap:train=40,test=20"])
    assert {score.name for score in read_scores(only(tmp_path))} == {"mig", "sap"}


def test_kept_scores_are_not_computed_again(keep, tmp_path):
    first = keep()
    keep(metrics=["mig:samples=60"])
    assert keep().records == first.records
    assert len(read_scores(only(tmp_path))) == 2


def test_another_encoder_of_the_name_is_refused_and_nothing_is_lost(keep, tmp_path):
    before = keep().records
    with pytest.raises(UsageError, match=r"--name mine: .* other codes \(the codes of the same"):
        keep(other)
    assert read_scores(only(tmp_path)) == before


def test_second_of_two_that_start_together_is_refused(keep, tmp_path, monkeypatch):
    measure = keep_external.measure

    def overtaken(*args):
        monkeypatch.setattr(keep_external, "measure", measure)
        keep()
        return measure(*args)

    monkeypatch.setattr(keep_external, "measure", overtaken)
    with pytest.raises(UsageError, match=r"--name mine: .* other codes \(the codes of the same"):
        keep(other)
    assert len(read_scores(only(tmp_path))) == 1


def test_name_is_checked_again_while_no_other_process_can_take_it(keep, tmp_path, monkeypatch):
    free = []

    def load(results):
        free.append(is_free(tmp_path))
        return load_externals(results)

    monkeypatch.setattr(keep_external, "load_externals", load)
    keep()
    assert free == [True, False]


def is_free(results):
    """True if a process could give a name in a results folder now, on whatever dataset."""
    with suppress(Timeout), FileLock(results / ".names.lock", timeout=0):
        return True
    return False


def test_run_that_takes_the_name_meanwhile_is_noticed(keep, run, tmp_path, monkeypatch):
    measure = keep_external.measure

    def overtaken(*args):
        write_label(run.path, name="mine", results=tmp_path)
        return measure(*args)

    monkeypatch.setattr(keep_external, "measure", overtaken)
    with pytest.raises(UsageError, match="has this name already"):
        keep()
    assert load_externals(tmp_path) == ([], [])


def test_other_weights_of_the_name_are_refused(keep):
    nets = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4096, 2)) for _ in range(2)]
    keep(nets[0])
    with pytest.raises(UsageError, match="weights: expected"):
        keep(nets[1])


def test_other_pixels_of_the_name_are_refused(keep):
    keep()
    with pytest.raises(UsageError, match="takes: expected float, got uint8"):
        keep(lambda x: mass(x / 255), takes="uint8")


def test_encoders_of_several_seeds_are_kept_beside_one_another(keep, tmp_path):
    keep(encoder_seed=0)
    keep(other, encoder_seed=1)
    externals = load_externals(tmp_path)[0]
    assert sorted(one.record.seed for one in externals) == [0, 1]
    assert len({one.record.id for one in externals}) == 2


@pytest.mark.parametrize(("first", "second"), [(None, 0), (0, None)], ids=["none", "seed"])
def test_name_is_used_with_seeds_or_without(keep, first, second):
    keep(encoder_seed=first)
    with pytest.raises(UsageError, match="Give every checkpoint of a name its seed"):
        keep(other, encoder_seed=second)


def test_name_of_a_run_is_refused(keep, run, tmp_path):
    write_label(run.path, name="mine")
    with pytest.raises(UsageError, match="has this name already"):
        keep()


def test_run_cannot_take_the_name_of_an_encoder(keep, run, tmp_path):
    keep()
    with pytest.raises(UsageError, match="an external encoder has this name"):
        write_label(run.path, name="mine", results=tmp_path)
    with pytest.raises(UsageError, match="an external encoder has this name"):
        train("vae", "tiny", name="mine", results=tmp_path, steps=1, device="cpu")
    assert not (tmp_path / "default" / "tiny" / "vae").exists()


def test_seed_or_study_without_a_name_is_refused(keep):
    with pytest.raises(UsageError, match="require a name"):
        keep(name="", encoder_seed=0)


def test_study_is_a_folder_and_a_name_stays_in_its_study(keep, tmp_path):
    keep(study="a")
    assert only(tmp_path).path.is_relative_to(tmp_path / "a")
    keep(metrics=["mig:samples=60"])
    assert len(read_scores(only(tmp_path))) == 2
    with pytest.raises(UsageError, match="--study b: 'mine' is kept in"):
        keep(study="b")


def test_scores_that_cannot_be_written_are_returned(keep, tmp_path):
    (tmp_path / "default").write_text("a file where the folder should be")
    with pytest.warns(UnwrittenWarning, match="scores were not written"):
        assert keep()["mig"] >= 0


def test_codes_of_no_dataset_are_identified_by_their_factors(keep_codes, tmp_path):
    scores = keep_codes()
    record = only(tmp_path).record
    assert (record.kind, record.dataset.name) == ("codes", "arrays")
    assert record.dataset.fingerprint == scores.records[0].fingerprint
    keep_codes(change=1.0, name="others")
    assert len({one.record.dataset.fingerprint for one in load_externals(tmp_path)[0]}) == 1


def test_other_codes_of_the_name_are_refused(keep_codes):
    keep_codes()
    with pytest.raises(UsageError, match="codes: expected codes"):
        keep_codes(change=np.linspace(0, 1, len(load_dataset("tiny")))[:, None])


def test_codes_of_a_dataset_have_its_columns(keep_codes, keep):
    given = keep_codes(dataset="tiny")
    trained = keep(name="encoder")
    assert [s.key for s in given.records] == [s.key for s in trained.records]


def test_factors_of_codes_come_in_any_order(keep_codes):
    straight = keep_codes(dataset="tiny")
    turned = keep_codes(dataset="tiny", name="turned", columns=slice(None, None, -1))
    assert turned == straight
    assert [s.key for s in turned.records] == [s.key for s in straight.records]


def test_columns_without_names_are_the_factors_in_order(keep_codes):
    assert keep_codes(dataset="tiny", names=[]) == keep_codes(name="named", dataset="tiny")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": slice(1, None)}, "expected the factors of 'tiny' .*, got x, y"),
        ({"columns": slice(1, None), "names": []}, "got 2 columns without names"),
        ({"names": ["a", "b", "c"]}, "expected the factors of 'tiny' .*, got a, b, c"),
    ],
    ids=["missing", "unnamed", "others"],
)
def test_factors_that_are_not_those_of_the_dataset_are_refused(keep_codes, options, message):
    with pytest.raises(UsageError, match=message):
        keep_codes(dataset="tiny", **options)


def test_factor_with_too_many_values_is_refused():
    data = load_dataset("tiny")
    rows = np.arange(80)
    factors = np.stack([rows % (size + 1) for size in data.factors.values()], 1)
    with pytest.raises(
        UsageError, match=r"expected at most 3 values of 'side', as in 'tiny', got 4"
    ):
        score_codes(factors, factors, metrics=MIG, dataset=data)


def test_signatures_differ_only_by_rounding():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(16, 5)).astype(np.float32)
    first = signature_of(codes)
    assert alike(first, signature_of(codes * np.float32(1 + 1e-5)), ROUNDING)
    assert not alike(first, signature_of(codes * np.float32(1.001)), ROUNDING)
    assert alike(first, signature_of(codes * np.float32(1.001)), OF_WEIGHTS)
    assert not alike(first, signature_of(codes * 1.1), OF_WEIGHTS)
    assert not alike(first, signature_of(codes[:, :4]), OF_WEIGHTS)


def test_signature_of_a_constant_code_is_recognised():
    constant = signature_of(np.ones((16, 3)))
    assert alike(constant, constant, ROUNDING)
    assert not alike(constant, signature_of(np.full((16, 3), 1.1)), ROUNDING)


def test_longer_signature_is_compared_on_the_images_that_both_have():
    codes = np.random.default_rng(0).standard_normal((64, 3))
    assert alike(signature_of(codes[:16]), signature_of(codes), ROUNDING)
    assert not alike(signature_of(codes[1:17]), signature_of(codes), ROUNDING)


class Scaled(torch.nn.Module):
    """An encoder of known weights."""

    def __init__(self, factor):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.factor = factor  # as rounding on another device

    def forward(self, x):
        return mass(x) * self.weight * self.factor


def test_checkpoint_of_a_function_that_differs_by_little_is_another(keep):
    keep()
    with pytest.raises(UsageError, match=r"no digest of weights.* on which it was first scored"):
        keep(lambda x: mass(x) * 1.001)
    keep(lambda x: (mass(x.double()) * (1 + 1e-6)).float())  # rounding
    keep(Scaled(1.0), name="module")
    keep(Scaled(1.001), name="module")
    with pytest.raises(UsageError, match=r"differ by more than rounding\)\. Give another --name"):
        keep(Scaled(1.1), name="module")


def test_functions_that_agree_on_the_first_images_differ(keep):
    images = load_dataset("tiny").images(np.arange(16)).float() / 255
    highest = max(float(mass(images)[:, 0].max()), 0)

    def differs_later(x):
        codes = mass(x)
        return torch.where(codes[:, :1] > highest, 2 * codes, codes)

    assert torch.equal(mass(images), differs_later(images))
    keep()
    with pytest.raises(UsageError, match="codes of the same images differ"):
        keep(differs_later)


def test_encoder_that_was_kept_with_fewer_images_is_recognised(keep, tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(encoders, "SPREAD", 0)
        first = keep()
    assert keep().records == first.records
    assert len(only(tmp_path).record.signature) == 16
