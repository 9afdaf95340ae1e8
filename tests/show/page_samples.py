"""Views to put on a page: ordinary, hostile, in many scripts, rejected."""

from __future__ import annotations

from dataclasses import replace

from maskprep.conversation import Where
from maskprep.dataset.trees import Branch
from maskprep.inspect.views import RejectView, RowView, TokenView

BEL, ESC, RLO, PDF = "\x07", "\x1b", "\u202e", "\u202c"
HOSTILE = (
    "<script>window.hacked=1</script>",
    "</script><img src=x onerror=window.hacked=1>",
    "<!-- ",
    "--><svg onload=window.hacked=1>",
    f"{ESC}]8;;http://example.invalid{BEL}link{ESC}]8;;{BEL}",
    f"{ESC}[2J",
    f"{RLO}gpj.exe{PDF}",
    "[/red]",
    "\u200b\u2066\u2028\u0085\x00\x9b",
    "\\x1b &lt;b&gt; %s ${x} `",
)
SCRIPTS = (
    *("مرح", "با بال", "عالم\n", "שלום ", "עולם\n", "e", "\u0301", "\n"),
    *("👩", "\u200d", "👧", "\n", "हि", "न्", "दी\n", "a\u00a0b\u3000c\ufeff", "  two   blanks \n", "\tx\r\n"),
    *(b"\xe4\xbd", b"\xa0", b" \xe5", b"\xa5", b"\xbd!", b"\xf0\x9f", b"\x8d", b"\xbf", b"\xff", b"\xe4", "z", b""),
)
MERGED = {"你": 2, " 好!": 3, "🍿": 3}  # units of several tokens in SCRIPTS


def row(number, pieces, *, file="data/rows.jsonl", line=None, findings=(), sequence=0):
    """Make a row of (text or bytes, role, part, message, flags); the flags are t(rained), s(pecial), b(order split)."""
    tokens = tuple(
        TokenView(
            index,
            100 + index,
            text if isinstance(text, bytes) else text.encode(),
            "t" in flags,
            role,
            part,
            message,
            "s" in flags,
            "b" in flags,
            {"+": True, "-": False}.get(flags[-1:]),
        )
        for index, (text, role, part, message, flags) in enumerate(pieces)
    )
    return RowView(number, Where(file, number + 1 if line is None else line, 0), sequence, tokens, tuple(findings))


def conversation(user, assistant, *, stop="ts"):
    """Return the pieces of one question and one answer."""
    return [
        ("<|im_start|>", "template", "scaffold", -1, "s"),
        ("user\n", "template", "scaffold", -1, ""),
        *((text, "user", "content", 0, "") for text in user),
        ("<|im_end|>", "template", "scaffold", -1, "s"),
        ("\n", "template", "scaffold", -1, ""),
        ("<|im_start|>", "template", "scaffold", -1, "s"),
        ("assistant\n", "template", "scaffold", -1, ""),
        *((text, "assistant", "content", 1, "tb" if not place else "t") for place, text in enumerate(assistant)),
        ("<|im_end|>", "assistant", "stop", 1, stop),
        ("\n", "template", "scaffold", -1, ""),
    ]


PLAIN = row(0, conversation(["What", " is", " 2", "+", "2", "?"], ["It", " is", " ", "4", "."]))
NEEDLE = row(1, conversation(["Where", " is", " the", " needle", "?"], ["In", " the", " hay", "."]))
MANY_SCRIPTS = row(2, conversation(SCRIPTS, SCRIPTS))
EVIL = row(
    3,
    conversation(HOSTILE, HOSTILE),
    file=f"evil/</script><script>window.hacked=1</script>{ESC}[2J{RLO}.jsonl",
    findings=[("</script><b>", f"</script><img src=x onerror=window.hacked=1>{RLO}[/red]")],
)
COMPARED = row(
    4, [("a", "user", "content", 0, "+"), ("b", "assistant", "content", 1, "t-"), ("c", "user", "tools", 2, "-")]
)
MISMATCH = RejectView(
    5,
    Where("data/rows.jsonl", 6, 0),
    "prompt-mismatch",
    f"messages[1]: the prompt does not stand there </script>{ESC}[2J",
    "choose --prompt-mismatch graft or train",
    {
        "message": 1,
        "prompt": {"before": "<|User|>Hi<|Assistant|>", "after": "<think>\n"},
        "rendered": {"before": "<|User|>Hi<|Assistant|>", "after": "</think>Oslo."},
        "graft": "<think>\nOslo.",
        "train": "</think>Oslo.",
    },
    f'{{"messages": ["</script>{RLO}"]}}',
)
NOT_JSON = RejectView(6, Where("data/rows.jsonl", 7, 0), "not-json", "not JSON: \ud800", "", {}, "{<!--<script>")
_TRUNK = conversation(["One", "?"], ["Un", "."])
TREE = replace(
    row(
        7,
        [
            *_TRUNK,
            ("\n", "template", "scaffold", -1, ""),
            ("<think>", "assistant", "reasoning", 1, "t"),
            ("Eins", "assistant", "content", 1, "t"),
            ("<think>", "assistant", "reasoning", 1, ""),
            ("Uno", "assistant", "content", 1, "t"),
        ],
    ),
    branches=(
        Branch(0, len(_TRUNK), -1, -1),
        Branch(len(_TRUNK), len(_TRUNK) + 3, len(_TRUNK) - 1, 0),
        Branch(len(_TRUNK) + 3, len(_TRUNK) + 5, len(_TRUNK) + 1, 1),
    ),
)
VIEWS = (PLAIN, NEEDLE, MANY_SCRIPTS, EVIL, COMPARED, MISMATCH, NOT_JSON)
