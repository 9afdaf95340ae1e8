"""The lines that settings in Python share."""

from __future__ import annotations

from maskprep.dataset.profiles.profile import Handover
from maskprep.dataset.profiles.quoting import quoted


def loading(handover: Handover) -> list[str]:
    """Return the lines that load data set, tokenizer and model."""
    lines = [
        f"data = load_from_disk({quoted(handover.folder)})",
        f"tokenizer = AutoTokenizer.from_pretrained({quoted(handover.tokenizer)})",
        f"model = AutoModelForCausalLM.from_pretrained({quoted(handover.model)})",
    ]
    if handover.pad_token is not None:
        lines.insert(2, f"tokenizer.pad_token = {quoted(handover.pad_token)}")
    if handover.vocabulary is not None:
        # Many models have more rows than ids: these must not be cut off.
        lines.append(f"if model.get_input_embeddings().weight.shape[0] < {handover.vocabulary}:")
        lines.append(f"    model.resize_token_embeddings({handover.vocabulary})")
    if handover.stops:
        stops = ", ".join(map(str, handover.stops))
        lines += [
            "# Generation must stop where turns end in these data, besides where it does already.",
            "known = model.generation_config.eos_token_id",
            "known = [] if known is None else [known] if isinstance(known, int) else known",
            f"model.generation_config.eos_token_id = list(dict.fromkeys([{stops}, *known]))",
        ]
    return lines


def trainer(kind: str, arguments: list[str], handover: Handover, *more: str) -> list[str]:
    """Return the lines that make a trainer and start it; ``arguments`` is the call that makes its ``args``."""
    data = ['train_dataset=data["train"],', 'eval_dataset=data["validation"],']
    given = [*arguments, *(data if handover.divided else ["train_dataset=data,"]), *more]
    return [
        "",
        f"trainer = {kind}(",
        "    model=model,",
        *(f"    {line}" for line in given),
        ")",
        "trainer.train()",
        "",
    ]
