"""maskprep within verl, NeMo Automodel and tinker: their own code loads, collates and weighs what it gives them.

Their releases pin other versions of transformers than ours, so that they are no part of the test extra.
"""

from __future__ import annotations

import importlib.util
import shlex

import pytest
import torch
import yaml
from asked import EXAMPLES, SETTINGS, made, plain, plain_file
from bundled import CONVERSATIONS, TOKENIZER
from steps import EXACT, by_hand, show
from transformers import AutoModelForCausalLM, AutoTokenizer

import maskprep
from maskprep.errors import UsageError

pytestmark = [pytest.mark.trainers, pytest.mark.long]
ROWS = 4


@pytest.fixture
def llama(model):
    return AutoModelForCausalLM.from_pretrained(model).eval()


@pytest.fixture
def verl_config():
    """verl's own configuration, with what the example sets on the command line."""
    pytest.importorskip("verl.trainer.sft_trainer", exc_type=ImportError)
    from hydra import compose, initialize_config_module

    words = shlex.split((EXAMPLES / "verl_sft.sh").read_text(), comments=True)
    given = [word for word in words if "=" in word and not word.startswith("--")]
    with initialize_config_module("verl.trainer.config", version_base=None):
        yield lambda *more: compose("sft_trainer_engine", [*given, *more]).data


def verl_data(config, files=CONVERSATIONS, **more):
    from verl.trainer.sft_trainer import create_sft_dataset

    return create_sft_dataset(str(files), config, AutoTokenizer.from_pretrained(TOKENIZER), None, **more)


@torch.no_grad()
def test_verl_collates_and_averages_over_the_labels(verl_config, llama, model):
    from verl.utils.dataset.dataset_utils import SFTTensorCollator
    from verl.utils.tensordict_utils import get_tensordict
    from verl.workers.utils.losses import sft_loss

    config = verl_config()
    data = verl_data(config)
    expected = made()
    assert [each["input_ids"].tolist() for each in data] == [row["input_ids"] for row in expected]
    for start in (0, ROWS, 2 * ROWS):
        batch = SFTTensorCollator(config.pad_mode)([data[number] for number in range(start, start + ROWS)])
        chances = []
        for ids, places in zip(batch["input_ids"].unbind(), batch["position_ids"].unbind(), strict=True):
            logits = llama(ids[None], position_ids=places[None], use_cache=False).logits[0]
            # As its engines do, for rows end to end: the token that follows, rolled.
            chances.append(torch.log_softmax(logits, -1).gather(1, ids.roll(-1)[:, None])[:, 0])
        found = {"log_probs": torch.nested.as_nested_tensor(chances, layout=torch.jagged)}
        count = int(batch["loss_mask"].values().sum())
        told = {"dp_size": 1, "batch_num_tokens": count, "pad_mode": config.pad_mode}
        loss, _ = sft_loss(None, found, get_tensordict(batch, non_tensor_dict=told))
        meant = by_hand(model, llama.state_dict(), expected[start : start + ROWS])
        show("verl", [loss.item()], [meant])
        assert loss.item() == pytest.approx(meant, abs=EXACT)


def test_verl_pads_on_the_right(verl_config):
    from torch.utils.data import default_collate

    data = verl_data(verl_config("data.pad_mode=right"), max_samples=ROWS)
    assert len(data) == ROWS
    batch = default_collate([data[number] for number in range(ROWS)])
    assert {name: tuple(each.shape) for name, each in batch.items()} == dict.fromkeys(
        ("input_ids", "position_ids", "loss_mask", "attention_mask"), (ROWS, 1024)
    )
    lengths = [len(row["input_ids"]) for row in made()[:ROWS]]
    assert batch["attention_mask"].sum(1).tolist() == lengths


def test_verl_settings_that_would_mean_nothing_are_refused(verl_config):
    with pytest.raises(UsageError, match="enable_thinking_default"):
        verl_data(verl_config("data.enable_thinking_default=false"))
    with pytest.raises(UsageError, match="max_length"):
        verl_data(verl_config("+data.maskprep.max_length=2048"))


@pytest.mark.parametrize("rows", [1, ROWS])
@torch.no_grad()
def test_automodel_loads_and_collates(rows, llama, model):
    loader = pytest.importorskip("nemo_automodel.components.datasets.loader", exc_type=ImportError)
    from nemo_automodel.components.config.loader import ConfigNode
    from nemo_automodel.components.loss.masked_ce import MaskedCrossEntropy

    told = yaml.safe_load((EXAMPLES / "automodel.yaml").read_text())
    told = ConfigNode({**told, "dataset": {**told["dataset"], "files": str(CONVERSATIONS)}}).dataset
    target = loader.make_dataset_config(told._target_, {"files": told.files, "settings": told.settings})
    config = loader.DataloaderConfig(dataset_config=target, batch_size=rows, shuffle=False)
    loaded = config.build(dp_rank=0, dp_world_size=1, tokenizer=AutoTokenizer.from_pretrained(TOKENIZER))
    expected, data = made(), loaded.dataset
    assert [data[n]["input_ids"] for n in range(len(data))] == [row["input_ids"][:-1] for row in expected]
    assert [data[n]["labels"] for n in range(len(data))] == [row["labels"][1:] for row in expected]
    batch = next(iter(loaded))
    logits = llama(batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    count = int((batch["labels"] != -100).sum())
    loss = MaskedCrossEntropy()(logits, batch["labels"], num_label_tokens=count).item()
    meant = by_hand(model, llama.state_dict(), expected[:rows])
    show(f"automodel, {rows} rows", [loss], [meant])
    assert loss == pytest.approx(meant, abs=EXACT)


@pytest.fixture
def tinker():
    pytest.importorskip("tinker_cookbook.supervised.data", exc_type=ImportError)
    import maskprep.integrations.tinker as found

    return found


@torch.no_grad()
def test_tinker_weighs_the_tokens_that_are_trained(tinker, llama, model):
    from tinker import TensorData
    from tinker_cookbook.supervised.common import compute_mean_nll

    settings = {**SETTINGS, "max_expansion": 10}
    builder = tinker.MaskedDatasetBuilder(
        tokenizer=str(TOKENIZER), files=[str(CONVERSATIONS)], batch_size=ROWS, settings=settings, test_size=5, seed=1
    )
    data, test = builder()
    expected = {tuple(row["input_ids"]): row for row in made()}
    assert len(test.get_batch(0)) == 5
    data.set_epoch(seed=3)
    for number in range(3):
        batch = data.get_batch(number)
        chances, weights, rows = [], [], []
        for datum in batch:
            ids, targets = datum.model_input.to_ints(), datum.loss_fn_inputs["target_tokens"].to_torch()
            rows.append(expected[(*ids, int(targets[-1]))])
            logits = llama(torch.tensor([ids]), use_cache=False).logits[0]
            found = torch.log_softmax(logits, -1).gather(1, targets[:, None])[:, 0]
            chances.append(TensorData.from_torch(found))
            weights.append(datum.loss_fn_inputs["weights"])
        loss = compute_mean_nll(chances, weights)
        meant = by_hand(model, llama.state_dict(), rows)
        show("tinker", [loss], [meant])
        assert loss == pytest.approx(meant, abs=EXACT)


def test_tinker_takes_weights_of_tokens(tinker):
    datum = tinker.datum_of([5, 6, 7, 8], [-100, 6, -100, 8], [0.0, 0.5, 0.0, 2.0])
    assert datum.model_input.to_ints() == [5, 6, 7]
    assert datum.loss_fn_inputs["target_tokens"].tolist() == [6, 7, 8]
    assert datum.loss_fn_inputs["weights"].tolist() == [0.5, 0.0, 2.0]


def test_the_example_for_tinker_runs(tinker, capsys, monkeypatch):
    monkeypatch.delenv("TINKER_API_KEY", raising=False)
    monkeypatch.setattr("sys.argv", ["tinker_sft.py"])
    spec = importlib.util.spec_from_file_location("tinker_sft", EXAMPLES / "tinker_sft.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main()
    assert "trained" in capsys.readouterr().out


def test_files_are_read_alike_whatever_the_trainer(tmp_path):
    from maskprep.integrations.rows import read

    data = read(str(TOKENIZER), [plain_file(tmp_path / "rows.jsonl")], SETTINGS, "a trainer")
    assert data.to_list() == made(plain())
    assert data.data_report["rows"] == len(plain())
    with pytest.raises(maskprep.UsageError, match="its own branch"):
        read(str(TOKENIZER), [str(CONVERSATIONS)], {**SETTINGS, "history": "tree"}, "a trainer")
    with pytest.raises(maskprep.RejectedError):
        read(str(TOKENIZER), [str(CONVERSATIONS)], {"history": "split"}, "a trainer")
