"""Whatever the template and the rows: what is replayed is what is rendered, and nothing contradicts itself."""

from __future__ import annotations

import os

import thorough
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from law.comparing import NOW
from law.replays import compare_in_order
from strategies import conversations, templates

from maskprep.errors import RowError, UsageError
from maskprep.formats import DEFAULT
from maskprep.template.chat_template import ChatTemplate


def parsed(rows):
    """Return the conversations among some rows."""
    found = []
    for row in rows:
        try:
            found.append(DEFAULT.parse(row))
        except RowError:
            continue
    return found


@settings(
    max_examples=int(os.environ.get("MASKPREP_FUZZ", thorough.examples(300))),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(text=templates(), rows=st.lists(conversations(), min_size=2, max_size=4), data=st.data())
def test_replays_are_what_is_rendered_in_any_order(text, rows, data):
    try:
        one, two = (ChatTemplate(text, {"bos_token": "<s>"}, NOW) for _ in range(2))
    except UsageError:
        return
    found = parsed(rows)
    _, wrong = compare_in_order(one, [*found, *found])
    assert not wrong, (text, wrong[0])
    _, wrong = compare_in_order(two, data.draw(st.permutations(found)))
    assert not wrong, (text, wrong[0])
