"""Padding, packing and learning, with a small random model and rows in memory."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from bundled import TOKENIZER
from planting import row
from transformers import AutoTokenizer

from maskprep.errors import UsageError
from maskprep.verify.learning import check_learning
from maskprep.verify.model_runner import Runner
from maskprep.verify.models import choose_device, enough_memory, random_model, real_model
from maskprep.verify.packing import Pack, check_packing
from maskprep.verify.padding import check_padding


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(TOKENIZER)


def rows(count=4, vocabulary=300):
    return [row(20 + 5 * index, vocabulary, seed=index, first=3 + index) for index in range(count)]


def test_padding_changes_no_loss(runner, tokenizer):
    found = check_padding(runner, tokenizer, rows())
    assert found.verdict == "passed", found
    assert found.figures["pad"] == "<|endoftext|>, <|im_end|> (eos)"
    assert found.figures["rows"] == 4


def test_stop_tokens_inside_of_rows_survive_a_pad_token_that_is_the_stop_token(runner, tokenizer):
    eos = tokenizer.eos_token_id
    examples = rows()
    for example in examples:
        example.ids[[6, 9]] = eos
        example.labels[[6, 9]] = np.where(example.meant[[6, 9]], eos, -100)
    assert check_padding(runner, tokenizer, examples).verdict == "passed"


def test_a_collator_that_masks_by_the_value_of_the_pad_token_is_noticed(runner, tokenizer, monkeypatch):
    import transformers

    class ByValue(transformers.DataCollatorForSeq2Seq):
        def __call__(self, features, return_tensors=None):
            batch = super().__call__(features, return_tensors)
            batch["labels"][batch["input_ids"] == self.tokenizer.pad_token_id] = -100
            return batch

    monkeypatch.setattr("transformers.DataCollatorForSeq2Seq", ByValue)
    examples = rows()
    for example in examples:
        example.ids[9] = example.labels[9] = tokenizer.eos_token_id
    found = check_padding(runner, tokenizer, examples)
    assert found.verdict == "failed"
    assert "its labels are others" in found.faults[0]


def test_a_model_that_sees_the_padding_is_noticed(tokenizer):
    runner = random_model(300, 64, torch.device("cpu"), seed=1)
    forward = runner.model.forward

    def both_ways(input_ids=None, labels=None, attention_mask=None, **given):
        # Adds something of all tokens, pads included, to every place.
        output = forward(input_ids=input_ids, labels=labels, attention_mask=attention_mask, **given)
        shift = torch.nn.functional.one_hot(input_ids, 300).float().mean(1, keepdim=True)
        output.logits = output.logits + 5 * shift
        return output

    runner.model.forward = both_ways
    assert check_padding(runner, tokenizer, rows()).verdict == "failed"


def test_a_pad_token_that_the_model_has_no_id_for_is_named(tokenizer):
    narrow = random_model(tokenizer.eos_token_id + 1, 64, torch.device("cpu"), seed=1)
    bigger = copy.deepcopy(tokenizer)
    bigger.add_special_tokens({"pad_token": "<a new pad>"})
    found = check_padding(narrow, bigger, rows(vocabulary=narrow.vocabulary))
    assert found.verdict == "failed"
    assert found.faults == (f"the pad token <a new pad> has the id {bigger.pad_token_id:,}: the model has no such id",)
    assert found.figures["batches"] > 0  # with the eos token in its place


def test_a_device_without_the_memory_is_said_and_nothing_else_is_hidden():
    with pytest.raises(UsageError, match="cpu has too little memory"), enough_memory(torch.device("cpu")):
        torch.empty(2**50)
    with pytest.raises(UsageError, match="too little memory"), enough_memory(torch.device("cpu")):
        raise torch.cuda.OutOfMemoryError
    with pytest.raises(RuntimeError, match="a fault of ours"), enough_memory(torch.device("cpu")):
        raise RuntimeError("a fault of ours")


def pack(examples, number=0):
    """Pack documents end to end, as a trainer wants them."""
    return Pack(
        number,
        np.concatenate([example.ids for example in examples]),
        np.concatenate([example.labels for example in examples]),
        np.concatenate([np.arange(len(example)) for example in examples]),
        tuple(len(example) for example in examples),
    )


def test_documents_in_a_pack_have_the_loss_that_they_have_alone(runner):
    found = check_packing(runner, [pack(rows(3)), pack(rows(2), 1)])
    assert found.verdict == "passed", found
    assert found.figures["documents"] == 5
    assert found.figures["worst_difference"] < 1e-5


def test_a_data_set_that_is_not_packed_has_nothing_to_check(runner):
    assert check_packing(runner, []).said == "not packed: nothing to check"


def test_a_label_across_the_border_of_a_pack(runner):
    packed = pack(rows(3))
    packed.labels[20] = packed.ids[20]
    found = check_packing(runner, [packed])
    assert found.verdict == "failed"
    assert found.faults == (
        "row 0, document 1: its first token is trained, as if the document before it were its prompt",
    )


def test_position_ids_that_are_not_reset(runner):
    packed = pack(rows(3))
    packed.positions[:] = np.arange(len(packed.positions))
    found = check_packing(runner, [packed])
    assert "row 0, document 1: position_ids do not start again at 0" in found.faults
    assert any("its loss is" in fault and "alone" in fault for fault in found.faults)
    assert any("changes the logits" in fault for fault in found.faults)


def test_position_ids_that_go_on_in_one_document_only(runner):
    packed = pack(rows(3))
    packed.positions[45:] = np.arange(25, 25 + len(packed.positions) - 45)
    assert any("document 2" in fault for fault in check_packing(runner, [packed]).faults)


def test_lengths_that_do_not_add_up(runner):
    packed = pack(rows(2))
    wrong = Pack(0, packed.ids, packed.labels, packed.positions, (20, 20))
    assert "do not add up" in check_packing(runner, [wrong]).faults[0]


def test_learning_lowers_the_loss_and_pulls_at_nothing_masked():
    runner = random_model(300, 64, torch.device("cpu"), seed=1)
    found = check_learning(runner, rows(), 4, lambda _: None, trained=False)
    assert found.verdict == "passed", found
    assert len(found.facts["trained"]) == len(found.facts["masked"]) == 5
    assert found.facts["trained"][-1] < found.facts["trained"][0]
    assert found.figures["masked_gradient"] == 0


def test_learning_names_labels_that_are_not_meant():
    runner = random_model(300, 64, torch.device("cpu"), seed=1)
    examples = rows()
    examples[0].labels[1:] = examples[0].ids[1:]
    found = check_learning(runner, examples, 1, lambda _: None, trained=False)
    assert found.verdict == "failed"
    assert "masked positions" in found.faults[0]


def test_a_model_in_bfloat16_has_a_loss_in_float32(tokenizer):
    """As on CUDA, as far as a CPU can."""
    runner = random_model(300, 64, torch.device("cpu"), seed=1)
    half = Runner(runner.model.to(torch.bfloat16), torch.device("cpu"), "half", 64)
    example = row(30, 300)
    assert half.tolerance > runner.tolerance or half.dtype == torch.bfloat16
    assert half.head_is_plain(example)
    own, measured = half.own(example), half.measure(example)
    assert own.measured.loss == pytest.approx(own.formula, rel=1e-5)
    assert measured.loss == pytest.approx(own.formula, rel=1e-3)
    for pull in (own.measured.pull, measured.pull):
        assert ((pull != 0) == example.meant).all()
    assert check_padding(half, tokenizer, rows()).verdict == "passed"
    assert check_packing(half, [pack(rows(3))]).verdict == "passed"
    assert check_learning(half, rows(), 3, lambda _: None, trained=False).verdict == "passed"


def test_a_model_without_sdpa_is_run_with_the_attention_that_it_has(tmp_path, monkeypatch):
    from transformers import LlamaForCausalLM

    random_model(300, 64, torch.device("cpu"), seed=1).model.save_pretrained(tmp_path)
    monkeypatch.setattr(LlamaForCausalLM, "_supports_sdpa", False)
    loaded = real_model(str(tmp_path), torch.device("cpu"))
    assert loaded.model.config._attn_implementation == "eager"
    monkeypatch.undo()
    assert real_model(str(tmp_path), torch.device("cpu")).model.config._attn_implementation == "sdpa"


def test_a_random_model_is_the_same_for_the_same_seed():
    first, second, third = (random_model(50, 8, torch.device("cpu"), seed) for seed in (1, 1, 2))
    assert torch.equal(first.head.weight, second.head.weight)
    assert not torch.equal(first.head.weight, third.head.weight)


def test_a_device_that_is_not_there():
    with pytest.raises(UsageError, match="must be auto, cpu, cuda or mps"):
        choose_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no such device"):
            choose_device("cuda")
    assert choose_device("auto").type in {"cuda", "mps", "cpu"}
