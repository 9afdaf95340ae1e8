"""The model that the checks run: a small random one, or the real one; and the device that it runs on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from maskprep.errors import UsageError, first_line
from maskprep.storage.hub_reach import ask_hub, cache_alone, hub_url, is_offline
from maskprep.verify.model_runner import Runner

_RANDOM = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}


def choose_device(wanted: str) -> torch.device:
    """Return the device: ``auto`` takes CUDA where there is one, else MPS, else the CPU.

    Raises:
        UsageError: this machine has no such device.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, is_there in there.items() if is_there))
    if wanted not in there:
        raise UsageError(
            f"--device {wanted}: must be auto, cpu, cuda or mps", "leave --device out, or give one of these"
        )
    if not there[wanted]:
        raise UsageError(f"--device {wanted}: torch finds no such device here", "leave --device out, or give cpu")
    return torch.device(wanted)


def random_model(vocabulary: int, longest: int, device: torch.device, seed: int) -> Runner:
    """Return a small Llama with random weights and the vocabulary of the data set."""
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415 - seconds to import

    config = LlamaConfig(
        vocab_size=vocabulary,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=max(longest, 2048),
        tie_word_embeddings=True,
        attn_implementation="sdpa",
        bos_token_id=None,
        eos_token_id=None,
        **_RANDOM,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model = model.to(device=device, dtype=_dtype(device))
    return Runner(model, device, f"a random Llama of {model.num_parameters():,} parameters, seed {seed}", longest)


def real_model(name: str, device: torch.device) -> Runner:
    """Load a causal model from a folder, by its hub id, or from a GGUF file.

    Raises:
        UsageError: the model cannot be loaded.
    """
    from transformers import AutoModelForCausalLM  # noqa: PLC0415 - as above
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()
    path = Path(name)
    gguf = {"gguf_file": path.name} if path.suffix == ".gguf" and path.is_file() else {}
    unreachable = not gguf and not path.is_dir() and not is_offline() and not ask_hub()()
    try:
        with cache_alone(wanted=unreachable):
            model = AutoModelForCausalLM.from_pretrained(
                str(path.parent) if gguf else name,
                dtype=_dtype(device),
                trust_remote_code=False,  # and nothing said of attention: sdpa where the model has it, else its own
                **gguf,
            )
    except Exception as error:  # whatever a stranger's files make of it
        reason = first_line(error)
        hint = "give a folder with config.json and safetensors, a GGUF file, or a hub id"
        if unreachable:
            reason = f"there is no such folder, and the Hub cannot be reached ({hub_url()})"
        if gguf and isinstance(error, ImportError | ValueError) and "required" in reason:
            hint = "pip install 'maskprep[gguf]'"
        raise UsageError(f"no model can be loaded from {name!r}: {reason}", hint) from error
    longest = getattr(model.config, "max_position_embeddings", None) or sys.maxsize
    return Runner(model.to(device), device, f"{name}, {model.num_parameters():,} parameters", int(longest))


def device_name(device: torch.device) -> str:
    """Return the name of the device, for people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


@contextmanager
def enough_memory(device: torch.device) -> Iterator[None]:
    """Raise ``UsageError`` where the device runs out of memory in the block."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.cuda.OutOfMemoryError) and "allocate" not in str(error):
            raise
        hint = "give --device cpu, a smaller model, or rows that are shorter (max_length)"
        raise UsageError(f"{device_name(device)} has too little memory for the model and these rows", hint) from error


def peak_memory(device: torch.device) -> int:
    """Return the most memory in use so far, in bytes: the device's, or this process's where it has none of its own."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.driver_allocated_memory())
    import resource  # noqa: PLC0415 - Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if sys.platform == "darwin" else 1024)


def _dtype(device: torch.device) -> Any:
    return torch.bfloat16 if device.type == "cuda" else torch.float32
