"""What a run says while it goes: bars, lines, curves."""

import io
import sys

import pytest

from training.logs import TensorBoard
from training.progress import Progress


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines(seconds, total=40, start=0, every=10.0, until=None, fail=False):
    """What 40 steps of so many seconds each say."""
    clock, out = Clock(), io.StringIO()
    try:
        with Progress(total, "cell", every=every, stream=out, clock=clock) as progress:
            for step in range(start, until or total):
                clock.now += seconds
                progress.tell(step + 1, 1 / (step + 1))
            if fail:
                raise RuntimeError
    except RuntimeError:
        assert fail
    return out.getvalue().splitlines()


def test_lines_are_rare_and_true():
    said = lines(1.0)
    assert said[0] == "cell: 10/40 steps, 10.0 s, 30 s left, loss 0.1"
    assert said[-1] == "cell: 40/40 steps, 40.0 s, loss 0.025"
    assert [line.split()[1] for line in said] == ["10/40", "20/40", "30/40", "40/40"]
    assert lines(0.01) == ["cell: 40/40 steps, 0.4 s, loss 0.025"]
    assert len(lines(100.0)) == 40 and len(lines(1.0, every=3.0)) == 14


def test_time_left_counts_the_steps_of_this_process():
    assert lines(1.0, start=20)[0] == "cell: 30/40 steps, 10.0 s, 10 s left, loss 0.03333"
    out, clock = io.StringIO(), Clock()
    with Progress(40, "cell", stream=out, clock=clock) as progress:
        for step in [*range(1, 11), *range(1, 21)]:  # a second start begins again
            clock.now += 1.0 if step <= 10 else 2.0
            progress.tell(step)
    assert out.getvalue().splitlines()[0].startswith("cell: 10/40 steps, 10.0 s, 30 s left")
    assert out.getvalue().splitlines()[-1].startswith("cell: 20/40 steps, 30.0 s, 30 s left")


def test_a_run_that_fails_says_where():
    assert lines(0.1, until=7, fail=True) == ["cell: 7/40 steps, 0.7 s, loss 0.1429, stopped"]
    out = io.StringIO()
    with Progress(3, "cell", stream=out):
        pass
    assert out.getvalue() == ""


def test_a_bar_on_a_terminal(monkeypatch):
    for name, value in (("TERM", "xterm"), ("COLUMNS", "120")):
        monkeypatch.setenv(name, value)
    out = Terminal()
    with Progress(40, "cell [a]", stream=out) as progress:
        for step in range(40):
            progress.tell(step + 1, loss=0.25, accuracy=0.5)
    shown = out.getvalue()
    assert "cell [a]" in shown and "40/40" in shown and "loss 0.25, accuracy 0.5" in shown
    assert "\x1b[" in shown and "steps," not in shown
    monkeypatch.setenv("TERM", "dumb")
    out = Terminal()
    with Progress(2, "cell", stream=out) as progress:
        progress.tell(2)
    assert out.getvalue().startswith("cell: 2/2 steps") and "\x1b[" not in out.getvalue()


def test_stderr_by_default(capsys):
    with Progress(2, "cell") as progress:
        progress.tell(1)
        progress.tell(2)
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("cell: 2/2 steps")


def test_bad_arguments():
    with pytest.raises(ValueError, match="total must be at least 1, got 0"):
        Progress(0, "x")
    with pytest.raises(ValueError, match="every must be positive, got 0"):
        Progress(1, "x", every=0)


HISTORY = [{"step": 0, "loss": 1.5, "iou": None}, {"step": 4, "loss": 0.5, "iou": 0.25},
           {"step": 8, "loss": float("nan"), "iou": 0.5, "name": "x", "flag": True}]


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_the_history_in_tensorboard(tmp_path):
    with TensorBoard(tmp_path / "logs") as log:
        log.add_history(HISTORY, "train")
        log.add(3, {"accuracy": 1})
    assert read(tmp_path / "logs") == {"train/loss": [(0, 1.5), (4, 0.5)],
                                       "train/iou": [(4, 0.25), (8, 0.5)], "accuracy": [(3, 1.0)]}
    with TensorBoard(tmp_path / "logs", resume=4) as log:
        log.add(4, {"loss": 0.75}, "train")
    assert read(tmp_path / "logs")["train/loss"] == [(0, 1.5), (4, 0.75)]


def test_without_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [n for n in sys.modules if n.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        TensorBoard(tmp_path / "logs")
    assert not (tmp_path / "logs").exists()
