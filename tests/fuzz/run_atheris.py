"""Coverage-guided fuzzing of the reader and the normaliser: `python tests/fuzz/run_atheris.py reader --seconds 900`.

Needs `pip install atheris`. Begins with the files of `corpus`; what it finds on its way stays in a folder of its own
(`--work`), so that the corpus in the tree remains small. A crash ends the run, and its input is written to that folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

with atheris.instrument_imports(include=["maskprep"]):
    from invariants import MAX_BYTES, SUFFIXES, read_file, read_row

    from maskprep.conversation import Where
    from maskprep.formats import Line, Reading
    from maskprep.formats.names import MESSAGE_FIELDS, ROW_FIELDS
    from maskprep.formats.registry import ROW_FORMATS
    from maskprep.policy import ROLES

WORDS = (
    *(f'"{name}":' for name in dict.fromkeys((*ROW_FIELDS, *MESSAGE_FIELDS, "type", "text", "begin", "end", "field"))),
    *(f'"{role}"' for role in (*ROLES, "human", "gpt", "function_call", "observation")),
    *('{"name": "f"}', "\\ud800", "\\u0000", "NaN", "1e999", "[[", "[1,1]", '\\"', "true", "null", "\r\n", "\ufeff"),
)


def main() -> None:
    """Fuzz one target for a time, and print what was done as JSON."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="fuzz-"))
    found = work / options.target
    found.mkdir(parents=True, exist_ok=True)
    for path in (HERE / "corpus").iterdir():
        shutil.copy(path, found / path.name)
    (work / "words.txt").write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
    target = _Target(options.target, Path(options.scratch or work))
    began = time.monotonic()
    arguments = [
        *(sys.argv[0], str(found), f"-max_total_time={options.seconds}", f"-dict={work / 'words.txt'}"),
        *("-max_len=4096", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"),
        f"-artifact_prefix={work}/",
    ]
    atheris.Setup(arguments, lambda data: target.run(data, began))
    atheris.Fuzz()


def _escaped(word: str) -> str:
    """Write a word as libFuzzer's dictionaries do: every byte by its number."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


class _Target:
    def __init__(self, name: str, folder: Path) -> None:
        self._run = {"reader": self._file, "normaliser": self._row}[name]
        self._name, self._folder, self._runs, self._came_to = name, folder, 0, Counter[str]()
        self._said = 0.0

    def run(self, data: bytes, began: float) -> None:
        self._came_to += self._run(data)
        self._runs += 1
        if (seconds := time.monotonic() - began) >= self._said + 10:
            self._said = seconds
            facts = {"target": self._name, "executions": self._runs, "seconds": round(seconds)}
            print(json.dumps({**facts, "rows": dict(self._came_to.most_common())}), file=sys.stderr, flush=True)

    def _file(self, data: bytes) -> Counter[str]:
        """The first byte chooses the name, the rest is the file."""
        suffix = SUFFIXES[data[0] % len(SUFFIXES)] if data else ""
        path = self._folder / f"fuzz{suffix}"
        path.write_bytes(data[1:])
        return read_file(path)

    def _row(self, data: bytes) -> Counter[str]:
        """The first byte chooses how the row is read, the rest is the row, or decides what is in it."""
        choice = data[0] if data else 0
        if choice & 32:
            row = _value(atheris.FuzzedDataProvider(data[1:]), 0)
            data = b"." + json.dumps(row).encode()
        shape = ("auto", *ROW_FORMATS)[choice % 5]
        columns = {"messages": "conversations", "content": "text"} if choice & 64 else {}
        reading = Reading(shape, columns, drop_nulls=bool(choice & 128))
        return Counter([read_row(Line(Where("fuzz", 1, 0), data[1 : 1 + MAX_BYTES]), reading)])


def _value(source: atheris.FuzzedDataProvider, depth: int) -> object:
    """Return JSON that the fuzzer's bytes decide: mostly with the names and the words of conversations."""
    kind = source.ConsumeIntInRange(0, 11 if depth < 6 else 7) if depth else 9  # a row is an object
    if kind >= 9:
        named = (ROW_FIELDS, MESSAGE_FIELDS, ("type", "text", "name", "arguments", "function", "begin", "end"))
        keys = named[min(depth // 2, 2)]
        return {
            source.PickValueInList(list(keys)): _value(source, depth + 1) for _ in range(source.ConsumeIntInRange(0, 4))
        }
    if kind == 8:
        return [_value(source, depth + 1) for _ in range(source.ConsumeIntInRange(0, 3))]
    leaves = (None, True, source.ConsumeIntInRange(-2, 9), 0.5, 1e308, -1, "", "text")
    if kind >= 4:
        words = (*ROLES, "human", "gpt", "function_call", '{"name": "f"}', "[1]", '{"a": [null]}', "😀 é", "false", "f")
        return source.PickValueInList(list(words))
    return leaves[(kind * 2 + source.ConsumeBool()) % len(leaves)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=("reader", "normaliser"))
    parser.add_argument("--seconds", type=int, default=900)
    parser.add_argument("--work", help="where new inputs and crashes go (a new temporary folder)")
    parser.add_argument("--scratch", help="where the files that are read are written, best in memory (the same)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
