"""The examples that need no trainer but transformers and torch: each runs in under a minute."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import json

import pytest
from asked import EXAMPLES
from bundled import ROOT

pytestmark = [pytest.mark.trainers, pytest.mark.long]


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_tiny_model_is_trained_on_a_build(build, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["trainer_sft.py", str(build[0])])
    example("trainer_sft").main()
    printed = capsys.readouterr().out
    losses = ast.literal_eval(printed.split("losses ")[1].split("\n")[0])
    assert losses[-1] < losses[0] - 0.5
    assert (tmp_path / "tiny-model" / "config.json").is_file()


def test_a_tiny_model_is_trained_on_trees(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["trees_loop.py"])
    example("trees_loop").main()
    losses = ast.literal_eval(capsys.readouterr().out.split("losses ")[1])
    assert len(losses) == 10
    assert losses[-1] < losses[0] - 0.5


def test_the_notebook_runs(monkeypatch, tmp_path):
    for name in ("sample_data", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    names = {"__name__": "__main__"}
    cells = json.loads((EXAMPLES / "first_steps.ipynb").read_text("utf-8"))["cells"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for cell in cells:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), "cell", "exec"), names)
    assert "nothing-to-train" in said.getvalue()
    assert len(names["trainer"].state.log_history) > 5
