"""What proving the turns of a conversation costs, by its length: on replays, and rendered again.

    python benchmarks/rendering.py TOKENIZER [--conversations 3000] [--audit sample]

Conversations are made up: 2, 20 and 200 questions and answers of some 30 words. All is run in one process; ``again``
renders every prompt and every turn from the beginning of its conversation, as the law is written, and is measured on
fewer of the long ones.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.policy import AuditMode, History, Policy
from maskprep.tokenizer.load import load_tokenizer

TURNS = (2, 20, 200)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = (
    "the",
    "sea",
    "of",
    "a",
    "northern",
    "town",
    "where",
    "people",
    "go",
    "by",
    "boat",
    "and",
    "come",
    "back",
    "late",
)
SLOW_TURNS = 1_200  # rendered again at most, for each length


def made_up(turns: int, count: int, seed: int) -> list[Conversation]:
    """Return conversations of so many turns."""
    draw = random.Random(seed)  # noqa: S311 - made up

    def said(role: str) -> Message:
        return Message(
            {"role": role, "content": " ".join(draw.choices(WORDS, k=draw.randint(10, 50))).capitalize() + "."}
        )

    return [
        Conversation(tuple(said(role) for _ in range(turns) for role in ("user", "assistant"))) for _ in range(count)
    ]


def seconds(preparer: Preparer, conversations: Iterable[Conversation]) -> tuple[float, int]:
    """Return the CPU time that it takes to prove all turns, and how many characters the conversations have."""
    characters = 0
    gc.collect()
    began = time.process_time()
    for conversation in conversations:
        characters += len(preparer.prove(conversation).whole)
    return time.process_time() - began, characters


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("--conversations", type=int, default=3_000, help="of all lengths together")
    parser.add_argument("--audit", choices=[*AuditMode], default=AuditMode.SAMPLE)
    options = parser.parse_args()
    loaded = load_tokenizer(options.tokenizer)
    policy = Policy(history=History.MASK)
    preparers = {
        way: Preparer(loaded, now=NOW, policy=policy, audit=AuditMode(options.audit)) for way in ("replayed", "again")
    }
    preparers["again"].templates[False].replays = False
    counts = {
        turns: max(2, options.conversations * weight // 100) for turns, weight in zip(TURNS, (80, 18, 2), strict=True)
    }
    print(f"{'turns':>6} {'rows':>6} {'replayed':>22} {'again':>22} {'ratio':>7} {'to 2 turns':>11}")
    first = 0.0
    for turns, count in counts.items():
        try:
            conversations = made_up(turns, count, turns)
            for preparer in preparers.values():
                seconds(preparer, made_up(turns, 3, 0))  # the first of its kind is looked at more closely, and learnt
            spent, characters = seconds(preparers["replayed"], conversations)
            slowly, fewer = seconds(preparers["again"], conversations[: max(1, SLOW_TURNS // turns)])
        except RowError as error:
            print(f"{turns:>6} {count:>6} rejected: {error.code}: {error.message[:90]}")
            continue
        fast, slow = spent / characters * 1e9, slowly / fewer * 1e9
        first = first or fast
        both = f"{fast:>14,.0f} ns/char {slow:>14,.0f} ns/char"
        print(f"{turns:>6} {count:>6} {both} {slow / fast:>6.1f}x {fast / first:>10.2f}x")


if __name__ == "__main__":
    main()
