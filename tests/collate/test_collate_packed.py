"""Packed batches: what they hold, and that a model gives each document in them the loss that it has alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pack_reference import pack_row
from transformers import DataCollatorWithFlattening, LlamaConfig, LlamaForCausalLM

from maskprep.collate import PackedCollator, block_mask, document_ids, flex_mask_mod
from maskprep.labelled import IGNORED, Labelled

KINDS = ("varlen", "positions", "sdpa", "eager", "flex")
DOCUMENTS = st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=4), min_size=1, max_size=4)


def make_document(size, seed):
    ids = np.random.default_rng(seed).integers(0, 90, size)
    labels = np.where(np.arange(size) > size // 3, ids, IGNORED)
    return {"input_ids": ids.tolist(), "labels": labels.tolist()}


def make_row(sizes, seed=0):
    """Return a packed row, as a data set gives it, and its documents."""
    documents = [make_document(size, seed + index) for index, size in enumerate(sizes)]
    row = pack_row([Labelled(np.asarray(d["input_ids"]), np.asarray(d["labels"]), ()) for d in documents])
    names = ("input_ids", "labels", "position_ids", "seq_lengths")
    return {name: getattr(row, name).tolist() for name in names} | {"spans": []}, documents


ROWS = [make_row([3, 2])[0], make_row([2], seed=7)[0]]


def test_varlen_is_one_row():
    batch = PackedCollator()(ROWS)
    tokens = ROWS[0]["input_ids"] + ROWS[1]["input_ids"]
    assert batch["input_ids"].tolist() == [tokens]
    assert batch["labels"].tolist() == [ROWS[0]["labels"] + ROWS[1]["labels"]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1]]
    assert batch["cu_seq_lens_q"].tolist() == batch["cu_seq_lens_k"].tolist() == [0, 3, 5, 7]
    assert batch["cu_seq_lens_q"].dtype == torch.int32
    assert (batch["max_length_q"], batch["max_length_k"]) == (3, 3)
    assert batch["use_cache"] is False
    assert "attention_mask" not in batch


def test_varlen_is_what_transformers_own_collator_makes():
    documents = [make_document(size, size) for size in (5, 1, 3)]
    ours = PackedCollator()(documents)
    theirs = DataCollatorWithFlattening(return_flash_attn_kwargs=True)(documents)
    assert ours.keys() == theirs.keys() | {"use_cache"}
    for name, value in theirs.items():
        assert ours[name] == value if isinstance(value, int) else torch.equal(ours[name], value), name
        assert isinstance(value, int) or ours[name].dtype == value.dtype


def test_varlen_rounded_up_ends_in_a_document_of_padding():
    batch = PackedCollator(multiple_of=8, pad_token_id=99)(ROWS)
    assert batch["input_ids"][0, 7:].tolist() == [99]
    assert batch["labels"][0, 7:].tolist() == [-100]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 5, 7, 8]


def test_rows_of_one_length():
    batch = PackedCollator("positions", length=8, pad_token_id=99)(ROWS)
    assert batch["input_ids"].shape == (2, 8)
    assert batch["input_ids"][1].tolist() == [*ROWS[1]["input_ids"], *[99] * 6]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1, 2], [0, 1, 0, 1, 2, 3, 4, 5]]
    assert batch["labels"][1, 2:].tolist() == [-100] * 6
    assert batch.keys() == {"input_ids", "labels", "position_ids", "use_cache"}


def test_the_mask_of_documents():
    mask = PackedCollator("sdpa")(ROWS)["attention_mask"]
    assert mask.shape == (2, 1, 5, 5)
    assert mask.dtype == torch.bool
    assert mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 1, 1],
    ]
    added = PackedCollator("eager", dtype=torch.bfloat16)(ROWS)["attention_mask"]
    assert added.dtype == torch.bfloat16
    assert torch.equal(added == 0, mask)
    assert (added[~mask] == torch.finfo(torch.bfloat16).min).all()


@given(DOCUMENTS)
def test_masks_agree_and_each_token_sees_itself(rows):
    made = [make_row(sizes)[0] for sizes in rows]
    batch = PackedCollator("positions")(made)
    documents = document_ids(batch["position_ids"])
    mask = block_mask(documents)
    length = documents.shape[1]
    own = [np.repeat(np.arange(len(s) + 1), [*s, length - sum(s)]) for s in rows]
    by_hand = np.tril(np.stack([one[:, None] == one[None, :] for one in own]))
    assert np.array_equal(mask[:, 0].numpy(), by_hand)
    b, q, k = torch.meshgrid(torch.arange(len(rows)), torch.arange(length), torch.arange(length), indexing="ij")
    assert torch.equal(flex_mask_mod(documents)(b, torch.zeros_like(b), q, k), mask[:, 0])
    assert mask.diagonal(dim1=-2, dim2=-1).all()


@given(DOCUMENTS, st.sampled_from(["varlen", "positions"]), st.integers(1, 5))
def test_nothing_is_lost_and_no_first_label_is_trained(rows, kind, multiple):
    made = [make_row(sizes) for sizes in rows]
    batch = PackedCollator(kind, multiple_of=multiple)([row for row, _ in made])
    assert batch["input_ids"].shape[1] % multiple == 0
    assert (batch["labels"][batch["position_ids"] == 0] == IGNORED).all()
    trained = batch["labels"] != IGNORED
    assert torch.equal(batch["labels"][trained], batch["input_ids"][trained])
    expected = [label for _, documents in made for d in documents for label in d["labels"][1:] if label != IGNORED]
    assert batch["labels"][trained].tolist() == expected


def test_a_trained_first_label_is_taken_out():
    row = {"input_ids": [4, 5, 6], "labels": [4, 5, 6], "seq_lengths": [2, 1]}
    assert PackedCollator()([row])["labels"].tolist() == [[-100, 5, -100]]


def test_loss_weights_go_along():
    rows = [{**row, "loss_weights": [0.5] * len(row["input_ids"])} for row in ROWS]
    batch = PackedCollator("positions")(rows)
    assert batch["loss_weights"].tolist() == [[0.5] * 5, [0.5, 0.5, 0, 0, 0]]
    with pytest.raises(ValueError, match="row 1 of the batch has no 'loss_weights'"):
        PackedCollator()([rows[0], ROWS[1]])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"input_ids": [1, 2], "labels": [1, 2], "seq_lengths": [1, 2]},
            "documents of .1, 2. tokens do not make its 2",
        ),
        ({"input_ids": [1, 2], "labels": [1, 2], "seq_lengths": [2, 0]}, "do not make its 2"),
        ({"input_ids": [], "labels": []}, "do not make its 0"),
        ({"input_ids": [1, 2], "labels": [1, 2], "position_ids": [0, 0]}, "which are its documents"),
        ({"input_ids": [1] * 9, "labels": [1] * 9}, "row 0 of the batch has 9 tokens, more than the length 8"),
    ],
)
def test_what_makes_no_batch(row, said):
    with pytest.raises(ValueError, match=said):
        PackedCollator("positions", length=8)([row])


@pytest.mark.parametrize(
    "settings", [{"attention": "none"}, {"multiple_of": 0}, {"length": 8}, {"attention": "sdpa", "length": 0}]
)
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ValueError, match=r"attention|multiple_of|length"):
        PackedCollator(**settings)


def make_model(attention, *, training=False):
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=90, num_key_value_heads=1, attn_implementation=attention, **shape)
    return LlamaForCausalLM(config).train(training)


def losses(logits, labels):
    """Return the loss of each token; the first has none."""
    return torch.nn.functional.cross_entropy(logits[:-1], labels[1:], ignore_index=IGNORED, reduction="none")


def worst_difference(model, batch, made):
    """Return how far a document's mean loss in the batch is from the model's own loss of it alone, at most."""
    inputs = {name: value for name, value in batch.items() if not name.startswith(("cu_", "max_"))}
    differences = []
    with torch.no_grad():
        logits = model(**{name: value for name, value in inputs.items() if name != "labels"}).logits
        places = [
            (number if len(logits) > 1 else 0, document) for number, (_, row) in enumerate(made) for document in row
        ]
        at = [0] * len(logits)
        for number, document in places:
            ids, labels = torch.tensor([document["input_ids"]]), torch.tensor([document["labels"]])
            alone = model(input_ids=ids, labels=labels, use_cache=False).loss
            here = slice(at[number], at[number] + ids.shape[1])
            at[number] = here.stop
            per_token = losses(logits[number, here], batch["labels"][number, here])
            trained = batch["labels"][number, here][1:] != IGNORED
            differences.append(abs(per_token[trained].mean() - alone).item())
    return max(differences)


MADE = [make_row([9, 4, 12], seed=1), make_row([7, 3], seed=5)]
ATTENTION = {"varlen": "sdpa", "positions": "sdpa", "sdpa": "sdpa", "eager": "eager", "flex": "flex_attention"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.long if kind == "flex" else ()) for kind in KINDS]
)
def test_a_document_in_a_pack_has_the_loss_that_it_has_alone(kind):
    """On the CPU ``varlen`` is read by sdpa, through its position_ids; flash attention gets the same borders."""
    batch = PackedCollator(kind)([row for row, _ in MADE])
    assert worst_difference(make_model(ATTENTION[kind]), batch, MADE) < 1e-5


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_positions_alone_do_for_other_attentions_and_in_training(attention):
    batch = PackedCollator("positions")([row for row, _ in MADE])
    assert worst_difference(make_model(attention, training=True), batch, MADE) < 1e-5


@pytest.mark.parametrize("wrong", [{"use_cache": True}, {"attention_mask": torch.ones(2, 25, dtype=torch.int64)}])
def test_a_cache_or_a_padding_mask_lets_documents_see_each_other(wrong):
    batch = PackedCollator("positions")([row for row, _ in MADE]) | wrong
    assert worst_difference(make_model("sdpa"), batch, MADE) > 1e-3


def test_the_loss_of_the_batch_is_the_mean_over_all_trained_tokens():
    model = make_model("sdpa")
    batch = PackedCollator("positions", length=32)([row for row, _ in MADE])
    with torch.no_grad():
        whole = model(**batch).loss.item()
        total = count = 0
        for _, documents in MADE:
            for document in documents:
                ids, labels = torch.tensor([document["input_ids"]]), torch.tensor([document["labels"]])
                trained = int((labels[0, 1:] != IGNORED).sum())
                total += model(input_ids=ids, labels=labels).loss.item() * trained
                count += trained
    assert whole == pytest.approx(total / count, abs=1e-5)
