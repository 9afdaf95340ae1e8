"""Which turns are chosen, by the roles of all messages of a conversation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.policy import ROLES, Policy

NAMES = {"s": "system", "d": "developer", "u": "user", "a": "assistant", "t": "tool"}


def chosen(roles, turns, *trained):
    policy = Policy(turns=turns, roles=frozenset(trained or {"assistant"}))
    return policy.choose([NAMES[role] for role in roles])


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ("all", {2, 4, 6, 8}),
        ("first", {2}),
        ("last", {8}),
        ("2 last", {6, 8}),
        ("since_last_user", {4, 6, 8}),
    ],
)
def test_each_choice_of_turns(turns, expected):
    assert chosen("suauatata", turns) == expected


def test_only_trained_roles_behind_the_last_user_are_chosen():
    assert chosen("uauatsa", "since_last_user") == {3, 6}
    assert chosen("uauatsa", "since_last_user", "assistant", "tool") == {3, 4, 6}
    assert chosen("uaua", "since_last_user", "assistant", "user") == {3}


def test_system_and_developer_messages_are_no_users():
    assert chosen("suadsa", "since_last_user") == {2, 5}
    assert chosen("sdua", "since_last_user") == {3}


def test_nothing_follows_a_user_at_the_end_or_none_at_all():
    assert chosen("uau", "since_last_user") == set()
    assert chosen("saata", "since_last_user") == set()
    assert chosen("", "since_last_user") == set()


@given(st.lists(st.sampled_from(ROLES), max_size=12), st.sets(st.sampled_from(ROLES), min_size=1))
def test_since_the_last_user_is_the_end_of_all_and_no_user_is_in_it_or_behind_it(roles, trained):
    policy = Policy(turns="since_last_user", roles=frozenset(trained))
    found = sorted(policy.choose(roles))
    every = sorted(Policy(roles=frozenset(trained)).choose(roles))
    assert found == every[len(every) - len(found) :]
    if found:
        assert "user" in roles[: found[0]]
        assert "user" not in roles[found[0] :]
