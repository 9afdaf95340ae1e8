"""A new chunk of the input begins as if nothing had been read before it."""

from __future__ import annotations

from law.comparing import NOW
from law.shapes import assistant, user
from law.templates import LAWS
from law.tokenizers_here import tokenizer

from maskprep.conversation import Conversation, Message
from maskprep.examples import Preparer
from maskprep.examples import preparer as preparers
from maskprep.examples import proofs as proving
from maskprep.policy import AuditMode, Policy


def counted(preparer):
    """Note the renderings without origins, which only checks ask for."""
    template, asked = preparer.templates[False], []
    plain = template.plain

    def note(*args, **kwargs):
        asked.append(args)
        return plain(*args, **kwargs)

    template.plain = note
    return asked


def test_kinds_of_rows_are_checked_again_the_first_time_and_renderings_are_trusted_again():
    law = LAWS["chatml"]
    loaded = tokenizer("byte_level", law.eos, law.stops)
    preparer = Preparer(loaded, now=NOW, policy=Policy(), template=law.text, audit=AuditMode.FIRST)
    asked = counted(preparer)
    spent = []
    for number in range(4):
        if number == 2:
            preparer.templates[False].replays = False
            preparer.begin()
            assert preparer.templates[False].replays
        before = len(asked)
        messages = (user(f"How many are {number}?"), assistant(f"There are {number}."))
        preparer.prepare(Conversation(tuple(map(Message, messages))))
        spent.append(len(asked) - before)
    assert spent[0] == spent[2] > 0
    assert spent[1] == spent[3] == 0


def test_nothing_is_kept_of_a_long_row(monkeypatch):
    for module in (preparers, proving):
        monkeypatch.setattr(module, "LONG", 200)
    law = LAWS["chatml"]
    loaded = tokenizer("byte_level", law.eos, law.stops)
    preparer = Preparer(loaded, now=NOW, policy=Policy(), template=law.text)
    template, kept = preparer.templates[False], []
    for words, turns in ((100, 1), (5, 2)):
        messages = (user("How " * words), assistant("So.")) * turns
        preparer.prepare(Conversation(tuple(map(Message, messages))))
        kept.append((len(template._given), len(preparer.encoder._known)))
    assert kept[0] == (0, 0)
    assert all(kept[1]), "a short one is remembered"
