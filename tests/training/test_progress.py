"""The progress of a training in terminals of any width and as text, and how it ends."""

import io

import pytest
from rich.console import Console

from disentangle.runs.training_log import quantities, shown, weighted_terms
from disentangle.training import monitor, progress
from disentangle.training.monitor import announcing
from disentangle.training.progress import ProgressLine, details, ending, line, plain
from disentangle.training.train import train

ENTRY = {
    "step": 1_700,
    "terms": {"reconstruction": 2515.354, "kl": 34.01, "total-correlation": 9.7},
    "values": {"reconstruction": 2515.354, "kl": 8.3125, "total-correlation": 0.277},
    "loss": 2559.1,
    "kl": [4.1, 4.2],
    "active": 6,
    "spread": 1.0,
    "images_per_second": 1320.6,
    "seconds": 1_700.0,
}
OLD = {key: value for key, value in ENTRY.items() if key not in ("values", "loss")}


def drawn(width, step=60_000, steps=100_000, entry=ENTRY):
    shown_line = ProgressLine()
    shown_line.report(step, steps, entry)
    screen = io.StringIO()
    Console(file=screen, width=width, force_terminal=True, color_system=None).print(shown_line)
    return screen.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_steps_percentage_and_time_left_are_never_cut(width):
    text = drawn(width)
    assert text.count("\n") == 1
    assert len(text.rstrip("\n")) <= width
    assert text.startswith("step 60,000 of 100,000  60 %  11.1 h left")
    assert "…" not in text


def test_terms_are_left_out_first_from_the_right():
    parts = ["loss 2559.10", "active 6", "1,321 images/s"]
    parts += ["reconstruction 2515.35", "kl 8.31", "total-correlation 0.28"]
    counts = []
    for width in range(45, 200):
        present = [part in drawn(width) for part in parts]
        assert present == sorted(present, reverse=True), width
        counts.append(sum(present))
    assert sorted(set(counts)) == list(range(len(parts) + 1))


def test_no_term_is_left_out_for_a_bar():
    whole = len(drawn(200).replace("━", "").rstrip()) - 2
    assert "━" not in drawn(whole)
    assert "total-correlation 0.28" in drawn(whole)
    assert "━" in drawn(whole + 22)


def test_time_left_is_known_before_the_first_entry(monkeypatch):
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    shown_line = ProgressLine()
    shown_line.report(1, 100, None)
    assert shown_line.left is None
    monkeypatch.setattr(progress.time, "monotonic", lambda: 110.0)
    shown_line.report(11, 100, None)
    assert shown_line.left == pytest.approx(89)


def test_finished_training_has_no_time_left():
    entry = {**ENTRY, "step": 3_000}
    assert line(3_000, 3_000, entry).startswith("step 3,000 of 3,000  100 %  loss 2559.10  ")
    assert "left" not in drawn(120, 3_000, 3_000, entry)
    assert line(2_999, 3_000, {**ENTRY, "step": 2_999}).startswith("step 2,999 of 3,000  99 %  ")


def test_kl_is_shown_without_its_weight_and_never_a_weighted_one_as_kl():
    assert shown(ENTRY)["kl"] == 8.3125
    assert shown(OLD) == {"reconstruction": 2515.354, "kl, weighted": 34.01} | {
        "total-correlation, weighted": 9.7
    }
    assert "kl, weighted 34.01" in details(OLD)
    assert weighted_terms([ENTRY]) == ["kl", "total-correlation"]
    assert quantities({"step": 1}) == {}


def test_lines_of_text_come_less_often_as_time_goes_on(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    report = plain()
    for step in range(1, 7_201):
        now = float(step)
        report(step, 7_200, {**ENTRY, "step": step} if step % 2 == 0 else None)
    printed = capsys.readouterr().err.splitlines()
    assert printed[0].startswith("step 2 of 7,200  0 %")
    assert printed[1].startswith("step 12 of 7,200")
    assert printed[-1].startswith("step 7,200 of 7,200  100 %  loss")
    assert 150 < len(printed) < 250
    assert not any("\x1b" in text or "\r" in text for text in printed)


def test_training_ends_with_what_came_of_it_and_the_next_commands(strangers, tmp_path, command):
    words = ["train", "beta-vae", "tiny", "--steps", 3, "--batch-size", 8, "--device", "cpu"]
    code, out, err = command(*words, "--no-figures", "--results", "my results")
    assert code == 0
    (path,) = out.splitlines()  # for run=$(disentangle train ...)
    *_, numbers, first, second = err.splitlines()
    assert numbers.startswith("3 steps in ")
    assert [name for name in ("loss ", "reconstruction ", "kl ") if name not in numbers] == []
    assert numbers.endswith(" of 10 latents active")
    assert first == f"next: `disentangle score '{path}'`"
    assert second.strip() == f"`disentangle report '{path}'`"
    assert "figures: " not in err
    assert command("--quiet", *words, "--no-figures", "--seed", 1)[2] == ""


def test_ending_of_a_run_without_a_log_names_the_next_commands_alone(run):
    (run.path / "log.jsonl").unlink()
    assert [text.split("`")[0] for text in ending(run)] == ["next: ", "      "]


@pytest.fixture
def seconds_per_step(monkeypatch):
    """A function that reports steps of a given length, and returns what was said."""

    def train_for(each, steps, device="cpu"):
        import torch

        now, said = 0.0, []
        monkeypatch.setattr(monitor.time, "perf_counter", lambda: now)
        report = announcing(lambda *a: None, said.append, torch.device(device))
        for step in range(1, min(steps, 200) + 1):
            now += 60.0 if step == 1 else each
            report(step, steps, None)
        return said

    return train_for


def test_training_of_hours_is_announced_once_with_what_shortens_it(seconds_per_step):
    (said,) = seconds_per_step(0.1, 100_000)
    assert said == (
        "100,000 steps: about 2.8 h left here. `--steps 6000` takes about 10 min; a GPU is faster."
    )
    (said,) = seconds_per_step(0.1, 100_000, "cuda")
    assert said.endswith("`--steps 6000` takes about 10 min.")


@pytest.mark.parametrize(("each", "steps"), [(0.1, 10_000), (0.01, 100_000), (900.0, 3)])
def test_short_training_is_not_announced(seconds_per_step, each, steps):
    assert seconds_per_step(each, steps) == []


def test_one_thread_is_one_thread(strangers, tmp_path):
    said = []
    options = {"steps": 1, "batch_size": 8, "figures": False, "device": "cpu"}
    train("vae", "tiny", results=tmp_path, say=said.append, **options)
    assert said[0].startswith("training on cpu, 1 thread: ")
