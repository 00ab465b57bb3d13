"""The checks for authors: right plugins pass, each wrong one fails its rule with a remedy."""

import subprocess
import sys
from unittest import SkipTest

import pytest
import torch
from helpers import rogue_adapters
from helpers import rogue_plugins as rogue
from helpers.rogue_adapters import collection_of, encoder_of

from disentangle.contracts import registry
from disentangle.contracts.metric import Metric
from disentangle.contracts.model import Model
from disentangle.errors import UsageError
from disentangle.testing import (
    Violation,
    check_collection,
    check_dataset,
    check_encoder,
    check_metric,
    check_model,
    check_tracker,
    conformance,
    suite,
)


def checks_of(kind):
    """Return the checks of a plugin's class; a dataset is opened for them."""
    if issubclass(kind, Model):
        return check_model(kind, image_shape=(1, 32, 32))
    return check_metric(kind) if issubclass(kind, Metric) else check_dataset(kind())


def broken(checks):
    """Return the rules that are broken, each with its message; a cause is told once."""
    messages = {}
    for check in checks:
        try:
            check()
        except Violation as violation:
            messages[check.name] = str(violation)
        except SkipTest:
            continue
    return messages


RIGHT = [
    rogue.Right,
    rogue.Squares,
    rogue.Measured,
    rogue.Faces,
    rogue.Told,
    rogue.DeclaredLess,
    rogue.DeclaredInUnits,
    rogue.DeclaredOnRequest,
]
WRONG = [
    (rogue.Unused, "gradient reaches every parameter", "spare.bias, spare.weight: use it in a"),
    (rogue.Summed, "terms are per image", "term 'kl' doubles with the batch"),
    (rogue.SummedValue, "terms are per image", "term 'kl, unweighted' doubles with the batch"),
    (rogue.SeedsNumPy, "nothing is printed or seeded", "from NumPy's global generator"),
    (rogue.SeedsWeights, "another seed gives other weights", "build() must not seed a generator"),
    (rogue.Prints, "nothing is printed or seeded", "terms() prints 'a step'"),
    (rogue.ChangesBatch, "batch is left as it was", "changes batch.x in place: work on a copy"),
    (rogue.ChangesKnob, "knobs survive", "'beta', given as 2.0, is changed by the plugin"),
    (rogue.RoundsKnob, "knobs survive", "'beta', given as 5.0, is stored in the plugin as 4.0"),
    (rogue.NoHelp, "knobs say what they are", "knob 'gamma' has no help"),
    (rogue.HiddenState, "state survives saving", "parameters and buffers (register_buffer)"),
    (rogue.TooFewLatents, "code and images have their shapes", "code to be [6, 10] for 6 images"),
    (rogue.Backwards, "traversal is in order", "must return up to n values in order"),
    (
        rogue.ComparesImages,
        "smallest batch trains every term",
        "term 'kl' has no gradient in a batch of 1, but has one in a batch of 6",
    ),
    (rogue.DecaysOthers, "undecayed parameters are its own", "choose from self.parameters()"),
    (rogue.LongLine, "about is a line", "`about` is a line of 80 characters at most, got 81"),
    (rogue.NoSource, "class names its source", "no source: begin the module with the paper"),
    (rogue.NoDocstring, "class names its source", "has no docstring"),
    (rogue.Floats, "images are bytes of their shape", "torch.float32: return torch.uint8"),
    (
        rogue.LastChannel,
        "images are bytes of their shape",
        "to be [32, 1, 8, 10], got [32, 8, 10, 1]",
    ),
    (rogue.Bits, "images are bytes of their shape", "multiply pixels of 0 and 1 by 255"),
    (rogue.Sorted, "images together are those one by one", "in its order"),
    (rogue.Wraps, "index outside is refused", "images([-1]) returns an image"),
    (rogue.FromOne, "labels are in range", "labels of 'x' are 1 to 7, but it has 7 values"),
    (rogue.ColumnMajor, "index is the inverse of labels", "row-major order of the factors"),
    (rogue.Strangers, "sharing shares", "another value of 'x'"),
    (rogue.OwnDraw, "sharing shares", "other images for the same rng"),
    (rogue.Same, "sharing shares", "the same images for every rng"),
    (rogue.Restless, "fingerprint is stable", "not from paths, times or hash()"),
    (rogue.Overlapping, "splits are parts of it", "'test' has repeated images, or images of"),
    (rogue.Poisson, "record of it is complete", "got 'poisson'"),
    (rogue.Tells, "opening and reading disturb nobody", "images() prints '4 images'"),
    (rogue.Comma, "factors have names and sizes", "without '=', ',' or surrounding spaces"),
    (rogue.Repeated, "factors have names and sizes", "`numbers` must hold as many finite and"),
    (rogue.OfNothing, "kinds say what values mean", r"kinds names ['hue'], which are not factors"),
    (rogue.MisspeltKind, "kinds say what values mean", "kinds: 'shade': expected a kind"),
    (rogue.RealWords, "kinds say what values mean", "is in `real`, but categorical"),
    (rogue.RealGrid, "kinds say what values mean", "of a grid has real numbers: use Labelled"),
    (rogue.OtherUnit, "kinds say what values mean", "the period 360, but its labels are 0 to 5"),
    (rogue.SecondTurn, "kinds say what values mean", "but its numbers are 0 to 720"),
    (rogue.Unmeasured, "kinds say what values mean", "hold them in ascending order, got 0"),
    (rogue.Unsorted, "kinds say what values mean", "hold them in ascending order, got 42"),
    (rogue.Unseeded, "generator decides alone", "draw only from rng"),
    (rogue.First, "order of latents does not matter", "alike, or declare `ordered = True`"),
    (rogue.Less, "oracle scores above noise", "declare `better`"),
    (rogue.Scaled, "units of latents do not matter", "declare why it is so, as in limitations = "),
    (rogue.Misspelt, "scores are finite numbers", "['tolld'], but there is no such score"),
    (rogue.Crashes, "undefined scores are unavailable", "[N, 0]: ZeroDivisionError: division by"),
    (rogue.NeedsModel, "missing needs are unavailable", "AttributeError: 'NoneType' object has"),
    (rogue.Claims, "missing needs are unavailable", "Unavailable, or declare of_model = False"),
    (rogue.Centres, "codes are left as they were", "work on a copy"),
    (rogue.Chatters, "nothing is printed or seeded", "score() prints 'told'"),
    (rogue.ClaimsMore, "claims are properties", "a tuple of disentanglement, completeness, inform"),
    (rogue.NoSuchCase, "limitations are of cases", "one of the cases 'scaled', 'beside constants'"),
    (
        rogue.PerCent,
        "claimed scores are between 0 and 1",
        "'told' of an oracle is 100: expected 0",
    ),
    (
        rogue.CountsConstants,
        "constant latents do not matter",
        "(case 'beside constants' of `disent",
    ),
    (rogue.FirstRows, "order of rows does not matter", "with rows in another order"),
    (
        rogue.ByHeart,
        "repeated rows are not knowledge",
        "with each row 5 times (case 'repeated rows'",
    ),
    (rogue.ShortDetail, "details have the sizes of their axes", "got (2,)"),
    (
        rogue.AsksWithoutPairs,
        "pairs are images of the dataset",
        "reads_changed needs pairs, but pair() returns none",
    ),
    (
        rogue.AsksWithoutLabels,
        "pairs are images of the dataset",
        "reads_changed needs the labels of both images: set `needs = Grid`",
    ),
    (
        rogue.KnowsLabels,
        "pairs are images of the dataset",
        "labelled_images() uses labels: set `needs = Labelled`",
    ),
]
# What keeps a plugin from being tried at all: rules that build on it are skipped or fail as well.
UNTRIABLE = [
    (
        rogue.OneForEachImage,
        "terms are finite scalars",
        "'kl' to be one number, got a tensor [6]",
    ),
    (rogue.NotFinite, "terms are finite scalars", "term 'kl' is nan on random images"),
    (rogue.Total, "terms are finite scalars", "terms() returns Tensor: return terms by name"),
    (rogue.OwnNoise, "same seed gives the same terms", "draw from batch.rng"),
    (
        rogue.NoOpponent,
        "opponent has terms of its own",
        "2 set(s) of terms, but opponent() returns no",
    ),
    (rogue.BadDefault, "knobs say what they are", "gamma must be a finite number, at least 0"),
    (
        rogue.PairsOutside,
        "pairs are images of the dataset",
        "the index of a second image for each, [6]",
    ),
    (rogue.Undefined, "scores are finite numbers", "an oracle is nan: return a finite number"),
]


@pytest.mark.parametrize("kind", RIGHT)
def test_right_plugin_keeps_every_rule(kind):
    assert not broken(checks_of(kind))


@pytest.mark.parametrize(("kind", "rule", "words"), WRONG)
def test_wrong_plugin_breaks_one_rule(kind, rule, words):
    messages = broken(checks_of(kind))
    assert list(messages) == [rule]
    assert words in messages[rule]


@pytest.mark.parametrize(("kind", "rule", "words"), UNTRIABLE)
def test_plugin_that_cannot_be_tried_fails_with_its_reason(kind, rule, words):
    check = next(check for check in checks_of(kind) if check.name == rule)
    with pytest.raises(Violation) as caught:
        check()
    assert str(caught.value).startswith((f"model '{kind.__name__}'", f"metric '{kind.__name__}'"))
    assert words in str(caught.value)


def test_one_cause_is_told_once():
    failed, skipped = [], []
    for check in checks_of(rogue.Unbuildable):
        try:
            check()
        except RuntimeError:
            failed.append(check)
        except SkipTest as reason:
            skipped.append(str(reason))
    assert len(failed) == 1
    assert len(skipped) > 5
    assert set(skipped) == {
        f"model 'Unbuildable': same error as '{failed[0].name}'; fix that first"
    }
    with pytest.raises(RuntimeError, match="no such layer"):  # as often as it is asked
        failed[0]()


def test_model_that_changes_what_tensors_are_made_of_is_told():
    messages = broken(checks_of(rogue.Doubles)).values()
    assert any("changes torch's default dtype to torch.float64" in m for m in messages)
    assert torch.get_default_dtype() == torch.float32


def test_plugin_that_ends_the_process_is_told():
    (message,) = broken(checks_of(rogue.Leaver)).values()
    assert message.startswith("model 'Leaver' ends the process (SystemExit(0)): ")


def test_what_a_plugin_raises_itself_says_what_was_checked():
    check = next(c for c in checks_of(rogue.Raises) if c.name == "terms are finite scalars")
    with pytest.raises(ZeroDivisionError) as caught:
        check()
    assert caught.value.__notes__ == ["while checking model 'Raises': terms are finite scalars"]


def test_rules_about_labels_do_not_concern_bare_images():
    bare, labelled = ({check.name for check in checks_of(k)} for k in (rogue.Faces, rogue.Squares))
    assert labelled - bare == {
        "factors have names and sizes",
        "kinds say what values mean",
        "labels are in range",
        "index is the inverse of labels",
        "sharing shares",
    }


def cases(test):
    """Return the checks of a parametrised test."""
    return test.pytestmark[0].args[1]


def test_conformance_of_a_distribution_is_that_of_its_plugins(strangers):
    plugins = {check.plugin for check in cases(conformance(distribution="Strangers"))}
    assert {"model 'half-vae'", "dataset 'tiny'", "metric 'spread'"} <= plugins
    assert "model 'beta-vae'" not in plugins


def test_conformance_of_a_distribution_that_is_not_installed_says_so():
    with pytest.raises(UsageError, match=r"no plugin of 'disentangle-bnch'.*'disentangle-bench'"):
        conformance(distribution="disentangle-bnch")


def test_conformance_of_nothing_is_refused():
    with pytest.raises(UsageError, match="name models, datasets, metrics, encoders"):
        conformance()


@pytest.mark.parametrize("name", ["broken", "hlaf-vae"])
def test_plugin_that_cannot_be_imported_fails_when_its_case_runs(strangers, name):
    with pytest.raises(Exception, match=f"model '{name}'"):
        cases(conformance(models=[name]))[0]()


def test_dataset_whose_files_are_not_here_is_skipped_with_the_reason(tmp_path):
    check = cases(conformance(datasets=["celeba"], data_dir=tmp_path))[0]
    with pytest.raises(SkipTest, match="disentangle data prepare celeba --file PATH"):
        check()


def test_checks_need_no_pytest():
    code = "import sys; sys.modules['pytest'] = None; from disentangle.testing import check_model"
    subprocess.run([sys.executable, "-c", code], check=True)


SMALL = "lab:small"
RIGHT_ADAPTERS = {
    "encoder": lambda: check_encoder(SMALL, rogue_adapters.right_encoder),
    "encoder of a function": lambda: check_encoder(SMALL, encoder_of(rogue_adapters.first_pixels)),
    "collection": lambda: check_collection("lab:numbered", rogue_adapters.right_collection),
    "tracker": lambda: check_tracker(rogue_adapters.RightTracker),
    "tracker that continues": lambda: check_tracker(rogue_adapters.Continuing),
}
WRONG_ENCODERS = [
    (rogue_adapters.undocumented_encoder, "function names its source", "has no docstring"),
    (rogue_adapters.any_name, "unknown name is refused", "is accepted: raise a UsageError"),
    (rogue_adapters.any_option, "unknown option is refused", "refuses options that you do not"),
    (rogue_adapters.looks_up_options, "unknown option is refused", "raises KeyError: 'no_such_opt"),
    (
        rogue_adapters.downloads_anyway,
        "network is used only by permission",
        "load() uses the network (weights.example.org) though `download` is False",
    ),
    (rogue_adapters.other_weights, "loading again gives the same codes", "weights by a seed"),
    (rogue_adapters.prints_at_load, "nothing is printed or seeded", "load() prints 'loading'"),
    (encoder_of(rogue_adapters.first_pixels, ()), "origin says what it is", "to 'no weights'"),
    (
        encoder_of(rogue_adapters.first_pixels, [("weights", "a\nb")]),
        "origin says what it is",
        "expected origin['weights'] to be one line of text",
    ),
    (
        encoder_of(rogue_adapters.centred),
        "codes depend on the image alone",
        "depends on the other images of its batch",
    ),
    (encoder_of(rogue_adapters.in_place), "images are left as they were", "work on a copy"),
]
WRONG_COLLECTIONS = [
    (
        collection_of(rogue_adapters.shuffled),
        "fingerprint is stable",
        "compute it from the images",
    ),
    (
        rogue_adapters.asks_the_hub,
        "network is used only by permission",
        "open() uses the network (data.example.org)",
    ),
]
WRONG_TRACKERS = [
    (rogue_adapters.BeginsAtMinusOne, "entry says how far it came", "expected step 0 of a new"),
    (rogue_adapters.Forgets, "entry says how far it came", "steps up to 100: return 200, or begin"),
    (
        rogue_adapters.NoPlace,
        "entry can be found again",
        "expected `where` of the entry to be text",
    ),
    (rogue_adapters.OpensOnce, "run is sent in two parts", "FileExistsError: there is such a run"),
    (rogue_adapters.PopsLoss, "values are left as they were", "work on a copy"),
    (
        rogue_adapters.TidiesUp,
        "files of the run are left as they were",
        "removes figures/traversals.gif of the run",
    ),
    (rogue_adapters.OnePackage, "packages are listed", "as in ('mlflow',), got 'json'"),
    (rogue_adapters.NoHelpTracker, "knobs say what they are", "knob 'folder' has no help"),
]


@pytest.mark.parametrize("name", RIGHT_ADAPTERS)
def test_right_adapter_keeps_every_rule(name):
    assert not broken(RIGHT_ADAPTERS[name]())


@pytest.mark.parametrize(("load", "rule", "words"), WRONG_ENCODERS)
def test_wrong_encoder_breaks_one_rule(load, rule, words):
    messages = broken(check_encoder(SMALL, load))
    assert list(messages) == [rule]
    assert messages[rule].startswith("encoder 'lab:small': ")
    assert words in messages[rule]


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (rogue_adapters.returns_function, "to return an ExternalEncoder, got function"),
        (encoder_of(lambda x: x), "[N, D] for 2 images, got [2, 1, 64, 64]; flatten or pool"),
    ],
)
def test_encoder_that_cannot_be_tried_says_why(load, words):
    assert words in broken(check_encoder(SMALL, load)).popitem()[1]


@pytest.mark.parametrize(("open", "rule", "words"), WRONG_COLLECTIONS)
def test_wrong_collection_breaks_one_rule(open, rule, words):
    messages = broken(check_collection("lab:numbered", open))
    assert list(messages) == [rule]
    assert words in messages[rule]


def test_collection_that_opens_anything_breaks_the_rules_of_references():
    messages = broken(check_collection("lab:numbered", rogue_adapters.any_dataset))
    assert list(messages) == ["unknown name is refused", "unknown option is refused"]


def test_collection_that_opens_no_dataset_is_told():
    (message,) = {*broken(conformance_of_a_list()).values()}
    assert message == "collection 'lab:numbered': expected open() to return a Dataset, got list"


def conformance_of_a_list():
    open = rogue_adapters.returns_images
    return suite._collection("lab:numbered", None, open)


@pytest.mark.parametrize(("kind", "rule", "words"), WRONG_TRACKERS)
def test_wrong_tracker_breaks_one_rule(kind, rule, words):
    messages = broken(check_tracker(kind))
    assert list(messages) == [rule]
    assert words in messages[rule]


def test_tracker_that_returns_no_entry_is_told():
    assert "return TrackerEntry(id, step, where)" in str(
        broken(check_tracker(rogue_adapters.ReturnsId))
    )


def test_settings_that_change_with_each_resume_are_told(monkeypatch):
    monkeypatch.setattr(registry.trackers, "load", lambda name: rogue_adapters.MovesOn)
    messages = broken(check_tracker("tensorboard:folder=mine"))
    assert list(messages) == ["settings are the same in a record"]
    assert "'tensorboard:folder=mine/runs'" in messages["settings are the same in a record"]


def test_adapters_of_a_distribution_are_skipped_unless_named(strangers):
    skipped = {}
    for check in cases(conformance(distribution="strangers", encoders=["corners:x"])):
        if check.name == "is named":
            with pytest.raises(SkipTest) as reason:
                check()
            skipped[check.plugin] = str(reason.value)
    assert sorted(skipped) == ["collection 'shelf'", "tracker 'diary'"]
