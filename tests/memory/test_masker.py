"""``import maskprep``: one conversation, rows, a stream; the same as the command makes, and errors that help."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from importlib import import_module

import numpy as np
import pytest
from builds import THINKS, chat
from bundled import CONVERSATIONS, ROOT, TOKENIZER
from transformers import AutoTokenizer

import maskprep
from maskprep.labelled import IGNORED

SAID = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
ODD = {"messages": SAID, "rating": 5}


@pytest.fixture(scope="module")
def masker():
    return maskprep.Masker(str(TOKENIZER))


@pytest.fixture(scope="module")
def rows():
    """The bundled conversations that are JSON, by the number of their line."""
    found = {}
    for number, line in enumerate(CONVERSATIONS.read_bytes().splitlines()):
        try:
            found[number] = json.loads(line)
        except ValueError:
            continue
    return found


@pytest.fixture(scope="module")
def thinking():
    """A masker whose template takes an empty thought away from earlier turns, by the way of treating history."""
    return lambda history: maskprep.Masker(TOKENIZER, chat_template=str(_template()), history=history)


def _template():
    path = ROOT / ".pytest_cache" / "thinks.jinja"
    path.parent.mkdir(exist_ok=True)
    path.write_text(THINKS)
    return path


def columns(example):
    return [(one.input_ids.tolist(), one.labels.tolist(), one.spans) for one in example.sequences]


# One conversation


def test_one_conversation(masker):
    example = masker(SAID)
    text = masker.tokenizer.decode(example.input_ids)
    assert text == masker.tokenizer.apply_chat_template(SAID, tokenize=False)
    assert masker.tokenizer.decode(example.labels[example.labels != IGNORED]) == "Hello!<|im_end|>"
    assert example.trained_tokens == (example.labels != IGNORED).sum()
    assert example.sequences == (example,)
    assert example.position_ids.tolist() == list(range(len(example)))
    assert set(example.visible_until.tolist()) == {len(example)}
    assert example.columns() == {"input_ids": example.input_ids.tolist(), "labels": example.labels.tolist()}


def test_tools_and_other_fields_are_those_of_a_row(masker):
    tool = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
    given = masker(SAID, tools=[tool])
    as_row = masker({"messages": SAID, "tools": [tool]})
    assert columns(given) == columns(as_row)
    assert masker({"prompt": "Hi", "completion": "Hello!"}).trained_tokens == masker(SAID).trained_tokens


def test_a_conversation_that_cannot_be_used_says_why_and_what_to_do(masker):
    with pytest.raises(maskprep.Rejected) as caught:
        masker(SAID[:1])
    error = caught.value
    assert error.code == "nothing-to-train"
    assert str(error).startswith("nothing-to-train: the conversation has no assistant message\nwhat to do: ")
    assert pickle.loads(pickle.dumps(error)).args == error.args
    with pytest.raises(maskprep.Rejected, match="no place in JSON"):
        masker([{"role": "user", "content": {1, 2}}])


def test_what_nothing_read_is_named(masker):
    assert masker(ODD).not_read == ("rating",)


def test_several_sequences_are_never_taken_for_one(thinking):
    conversation = chat("a", "b", "c", "d")["messages"]
    split, tree = thinking("split")(conversation), thinking("tree")(conversation)
    assert len(split.sequences) == 2
    assert [each.sequence for each in split.sequences] == [0, 1]
    with pytest.raises(maskprep.UsageError, match="takes 2 sequences"):
        split.input_ids  # noqa: B018 - the property raises
    assert tree.is_tree
    assert tree.trained_tokens == split.trained_tokens
    assert set(tree.columns()) == {"input_ids", "labels", "position_ids", "visible_until"}


# The same as the command


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"history": "mask"},
        {"history": "rendered"},
        {"train": {"turns": "last", "parts": ["content"]}},
        {"max_length": 60, "overflow": "truncate"},
        {"control_tokens": "escape"},
    ],
    ids=str,
)
def test_rows_come_out_as_the_command_makes_them(rows, settings, tmp_path):
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows.values())
    (tmp_path / "rows.jsonl").write_bytes(lines)
    out = tmp_path / "out"
    maskprep.build(sources=tmp_path / "rows.jsonl", tokenizer=TOKENIZER, output=out, max_rejects=1, **settings)
    built = maskprep.open(out)
    wanted = {built.origin(n)[1:]: columns(built[n]) for n in range(len(built))}
    made = maskprep.Masker(TOKENIZER, **settings).many(rows.values())
    assert len(made) == len(rows)
    used = [each for each in made if isinstance(each, maskprep.Example)]
    found = {(each.row + 1, s.sequence): columns(s) for each in used for s in each.sequences}
    assert found == wanted
    rejected = {each.row + 1: each.code for each in made if isinstance(each, maskprep.Rejected)}
    assert rejected == {each["line"]: each["code"] for each in built.rejects}
    assert rejected


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_keeps_the_order_and_takes_no_more_than_it_needs(masker, rows, workers):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            for row in rows.values():
                taken += 1
                yield row

    stream = masker.stream(endless(), workers=workers)
    found = [next(stream) for _ in range(3 * len(rows))]
    stream.close()
    assert [each.row for each in found] == list(range(3 * len(rows)))
    assert taken <= 6000
    once = masker.many(rows.values())
    for number, each in enumerate(found):
        one = once[number % len(rows)]
        assert type(each) is type(one)
        if isinstance(one, maskprep.Example):
            assert columns(each) == columns(one)
    shown = next(each for each in found if isinstance(each, maskprep.Example))
    assert "<span" in shown._repr_html_()


def test_a_loaded_tokenizer_works_too_and_stays_as_it_is(masker):
    loaded = AutoTokenizer.from_pretrained(str(TOKENIZER))
    loaded.backend_tokenizer.enable_truncation(3)
    made = maskprep.Masker(loaded)(SAID)
    assert columns(made) == columns(masker(SAID))
    assert loaded.backend_tokenizer.truncation["max_length"] == 3


def test_threads_wait_for_each_other(masker):
    wanted, found = columns(masker(SAID)), []
    threads = [threading.Thread(target=lambda: found.extend(columns(masker(SAID)) for _ in range(5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 20


# Settings


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"output": "out"}, "output: a build's, and nothing to a Masker"),
        ({"histroy": "tree"}, "histroy"),
        ({"history": "trees"}, "history"),
        ({"train": {"turns": "some"}}, "train.turns"),
        ({"chat_template": "nowhere.jinja"}, "no chat template file"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, told):
    with pytest.raises(maskprep.UsageError, match=told) as caught:
        maskprep.Masker(TOKENIZER, **settings)
    assert "what to do: " in str(caught.value)


def test_no_tokenizer_at_all():
    with pytest.raises(maskprep.UsageError, match="the tokenizer is a int"):
        maskprep.Masker(7)


@pytest.mark.long
def test_the_fingerprint_tells_maskers_apart_and_is_the_same_anywhere(masker):
    code = "import maskprep, sys; print(maskprep.Masker(sys.argv[1]).fingerprint)"
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": paths}
    words = [sys.executable, "-c", code, str(TOKENIZER)]
    elsewhere = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert elsewhere.stdout.strip() == masker.fingerprint == pickle.loads(pickle.dumps(masker)).fingerprint
    others = [maskprep.Masker(TOKENIZER, **each).fingerprint for each in ({"history": "mask"}, {"max_length": 9})]
    assert len({masker.fingerprint, *others}) == 3


def test_importing_it_takes_nothing_heavy_along():
    heavy = "{'torch', 'transformers', 'datasets', 'rich'}"
    code = f"import maskprep, sys; dir(maskprep); print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == ""


def test_the_names_are_those_that_are_told():
    assert {"Masker", "Example", "Rejected", "build", "open"} <= set(dir(maskprep))
    for name in maskprep.__all__:
        assert getattr(maskprep, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        maskprep.nothing  # noqa: B018 - the attribute is asked for
    import_module("maskprep.build.command")
    assert callable(maskprep.build), "the package of that name must not hide the function"


# Shown


def test_an_example_is_shown_with_its_mask(masker, capsys):
    masker(SAID).show()
    assert "⟦Hello!<|im_end|>⟧" in capsys.readouterr().out


def test_html_holds_text_alone(masker):
    evil = "<script>alert(1)</script>\x1b[2J\u202e&"
    shown = masker([{"role": "user", "content": evil}, {"role": "assistant", "content": evil}])._repr_html_()
    assert "<script" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "&lt;script&gt;" in shown


# A build


def test_a_build_is_opened(tmp_path):
    report = maskprep.build(sources=str(CONVERSATIONS), tokenizer=TOKENIZER, output=tmp_path / "out", max_rejects=0.5)
    built = maskprep.open(tmp_path / "out")
    assert len(built) == report.manifest["totals"]["sequences"]
    assert built.manifest["totals"] == report.manifest["totals"]
    assert [len(each) for each in built] == [len(built[n]) for n in range(len(built))]
    assert columns(built[-1]) == columns(built[len(built) - 1])
    assert sum(each.trained_tokens for each in built) == report.manifest["totals"]["trained_tokens"]
    assert isinstance(built[0].input_ids, np.ndarray)
    with pytest.raises(IndexError, match="there is no sequence"):
        built[len(built)]
    with pytest.raises(maskprep.UsageError, match="no finished build"):
        maskprep.open(tmp_path)
    with pytest.raises(maskprep.UsageError, match="verify has no option"):
        built.verify(modle="x")


def test_a_build_that_fails_says_so_and_prints_nothing(tmp_path, capsys):
    with pytest.raises(maskprep.RejectedError, match="were rejected"):
        maskprep.build(sources=str(CONVERSATIONS), tokenizer=TOKENIZER, output=tmp_path / "out")
    assert capsys.readouterr() == ("", "")


@pytest.mark.long
def test_a_script_that_builds_with_workers_runs_once(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import maskprep\n"
        "print('begun')\n"
        f"report = maskprep.build(sources={str(CONVERSATIONS)!r}, tokenizer={str(TOKENIZER)!r}, output='out',\n"
        "    max_rejects=0.5, workers=1)\n"
        "print(report.manifest['totals']['rows'])\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "begun"), done.stderr
    assert done.stdout.count("begun") == 1


@pytest.mark.long
def test_a_build_is_verified(tmp_path):
    maskprep.build(sources=str(CONVERSATIONS), tokenizer=TOKENIZER, output=tmp_path / "out", max_rejects=0.5)
    assert maskprep.open(tmp_path / "out").verify(rows=3).passed


# Found by trying


def test_another_process_sees_the_template_and_the_tokenizer_as_they_were(tmp_path):
    path = tmp_path / "thinks.jinja"
    path.write_text(THINKS)
    loaded = AutoTokenizer.from_pretrained(str(TOKENIZER))
    masker = maskprep.Masker(loaded, chat_template=str(path))
    wanted = columns(masker(SAID))
    path.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    loaded.add_tokens(["Hi"])
    assert columns(pickle.loads(pickle.dumps(masker))(SAID)) == wanted
    folder = tmp_path / "tokenizer"
    shutil.copytree(TOKENIZER, folder)
    state = pickle.dumps(maskprep.Masker(folder))
    loaded.save_pretrained(str(folder))
    with pytest.raises(maskprep.UsageError, match="is another one now"):
        pickle.loads(state)


@pytest.mark.parametrize("messages", ["hi", b"hi", None, 5])
def test_what_is_no_list_of_messages_is_refused(masker, messages):
    with pytest.raises(maskprep.UsageError, match="messages must be a list"):
        masker(messages)


@pytest.mark.parametrize("rows", [None, 3, "rows", {"messages": SAID}])
def test_what_is_no_list_of_rows_is_refused(masker, rows):
    for ask in (masker.many, masker.stream, masker.like):
        with pytest.raises(maskprep.UsageError, match="rows must be several"):
            ask(rows)


def test_workers_that_make_no_sense_are_refused(masker):
    for settings in ({"workers": -1}, {"start_method": "thread"}):
        with pytest.raises(maskprep.UsageError, match="workers start at 0"):
            masker.stream([], **settings)


def test_values_of_numpy_are_those_of_python(masker):
    said = [dict(SAID[0]), {**SAID[1], "weight": np.float32(1)}]
    assert columns(masker(np.array(said, dtype=object).tolist())) == columns(masker(SAID))
    assert columns(masker({"messages": np.array(SAID, dtype=object), "id": np.int64(4)})) == columns(masker(SAID))


def test_an_error_neutralises_what_it_quotes(masker):
    with pytest.raises(maskprep.Rejected) as caught:
        masker({"messages": SAID, "loss_\x1b[31mX": 1})
    assert "\x1b" not in str(caught.value)


def test_examples_can_be_told_apart(masker):
    one, other = masker(SAID), masker(SAID)
    assert one
    assert one in [other, one]
    assert len({one, other}) == 2


def test_an_example_travels_without_its_tokenizer(masker):
    example = masker(SAID)
    travelled = pickle.loads(pickle.dumps(example))
    assert travelled.viewer is None
    assert columns(travelled) == columns(example)
    with pytest.raises(maskprep.UsageError, match="came from another process"):
        travelled.show()
