"""``transformers.Trainer``: reads our rows as they are, and drops what the model's ``forward`` does not take."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from maskprep.dataset.profiles.profile import Container, Handover, Profile, RowLayout
from maskprep.dataset.profiles.program import loading, trainer
from maskprep.policy import ProfileName

_WEIGHTED = """\


class WeightedTrainer(Trainer):
    # The mean over the trained tokens of a step, where each counts what its weight says.
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        weights, labels = inputs.pop("loss_weights")[:, 1:], inputs.pop("labels")[:, 1:]
        outputs = model(**inputs)
        logits = outputs.logits[:, :-1].float().transpose(1, 2)
        losses = torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="none")
        count = (labels != -100).sum() if num_items_in_batch is None else num_items_in_batch
        loss = (losses * weights).sum() / count
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

"""


_FLEX = """\
if torch.cuda.is_available():
    model.set_attn_implementation("flex_attention")  # its mask takes no square of the length
"""


class HuggingFace(Profile):
    """The profile ``hf``: every column stays in the folder."""

    name: ClassVar[ProfileName] = ProfileName.HF
    title: ClassVar[str] = "transformers.Trainer"
    container: ClassVar[Container] = "arrow"
    language: ClassVar[Literal["python", "yaml", "bash"]] = "python"
    companion: ClassVar[bool] = False
    trees: ClassVar[bool] = True

    def refuses(self, layout: RowLayout) -> None:
        """Return None: this trainer takes rows of every layout."""

    def settings(self, handover: Handover) -> str:
        """Return a program that trains with ``transformers.Trainer``."""
        if handover.weighted or handover.trees:
            return _with_our_collator(handover)
        if handover.packed:
            collator, why = "default_data_collator", "adds no attention_mask: documents stay apart by position_ids"
            arguments = ['output_dir="checkpoints"', "per_device_train_batch_size=1"]  # rows differ in length
            arguments += ["per_device_eval_batch_size=1"] if handover.divided else []
        else:
            collator, why = "DataCollatorForSeq2Seq", "pads labels with -100, by position"
            arguments = ['output_dir="checkpoints"']
        names = sorted(["AutoModelForCausalLM", "AutoTokenizer", "Trainer", "TrainingArguments", collator])
        call = collator if handover.packed else f"{collator}(tokenizer)"
        lines = [
            "from datasets import load_from_disk",
            f"from transformers import {', '.join(names)}",
            "",
            *loading(handover),
            *trainer(
                "Trainer",
                [f"args=TrainingArguments({', '.join(arguments)}),"],
                handover,
                f"data_collator={call},  # {why}",
            ),
        ]
        return "\n".join(lines)

    def pitfalls(self, layout: RowLayout) -> list[str]:
        """Return the settings that would change the loss silently."""
        found = [
            (
                "DataCollatorForLanguageModeling writes labels of its own: prompts are trained, and a stop "
                "token that is also the pad token is not."
            ),
            "labels[labels == pad_token_id] = -100 takes out every stop token that is also the pad token.",
            "label_pad_token_id other than -100 trains padding; label_smoothing_factor makes it another loss.",
        ]
        if layout.trees:
            found += [
                (
                    "Any other collator than TreeCollator (DataCollatorForSeq2Seq, default_data_collator) makes no "
                    "mask of visible_until: branches of a tree see each other."
                ),
                (
                    "TreeCollator(model.config) makes the mask for the attention and the layers that the model has "
                    "when it is called: make it after the last model.set_attn_implementation. Flash attention takes no "
                    "such mask and is refused."
                ),
                (
                    "TreeCollator(attention=...) in place of the config knows no layers: those of sliding attention "
                    "(Gemma 3, gpt-oss, Mistral) lose their window."
                ),
            ]
        elif layout.packed:
            found += [
                (
                    "A collator that adds an attention_mask (DataCollatorForSeq2Seq, DataCollatorWithPadding) lets the "
                    "documents of a row see each other: transformers looks at position_ids only without a mask."
                ),
                "DataCollatorWithFlattening counts positions by row, not by document: documents see each other.",
                "use_cache=True in TrainingArguments: documents see each other.",
                (
                    "A model whose forward takes no position_ids (state-space models) loses that column, and with "
                    "it the borders of documents: train it unpacked."
                ),
            ]
        if layout.weighted:
            found.append(
                "Trainer itself drops loss_weights, and every trained token counts 1: use WeightedTrainer, with "
                "remove_unused_columns=False."
            )
        return found

    def _main(self, batch: Any) -> Any:
        return batch

    def _tokens(self, main: Any, *, packed: bool) -> dict[str, Any]:
        del packed
        return {name: main.column(name) for name in main.schema.names}


def _with_our_collator(handover: Handover) -> str:
    """Return a program whose batches are ours: of trees, or of tokens with weights, which its loss counts by."""
    if handover.trees:
        collator, given = "TreeCollator", "model.config, "
    elif handover.packed:
        collator, given = "PackedCollator", '"positions", '
    else:
        collator, given = "PaddingCollator", ""
    lines = [
        *(["import torch"] if handover.weighted or handover.trees else []),
        "from datasets import load_from_disk",
        "from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments",
        "",
        f"from maskprep.collate import {collator}",
        *(_WEIGHTED.splitlines() if handover.weighted else []),
        "",
        *loading(handover),
        *(_FLEX.splitlines() if handover.trees else []),
        *trainer(
            "WeightedTrainer" if handover.weighted else "Trainer",
            ['args=TrainingArguments(output_dir="checkpoints", remove_unused_columns=False),'],
            handover,
            f"data_collator={collator}({given}pad_token_id=tokenizer.pad_token_id),",
        ),
    ]
    return "\n".join(lines)


PROFILE = HuggingFace()
