"""One conversation written in every shape that can carry it, each as its publishers or its API's logs write it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A call of a tool: the function's name, its arguments, and what it answered."""

    name: str
    arguments: Row
    result: str

    def facts(self, *, text: bool = False) -> Row:
        return {"name": self.name, "arguments": json.dumps(self.arguments) if text else self.arguments}


@dataclass(frozen=True)
class Turn:
    """What a user asks, and what an assistant thinks, says, calls and, behind the results, answers."""

    question: str
    answer: str
    thought: str = ""
    said: str = ""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Chat:
    """A conversation. ``ids``: whether calls have ids; ``named``: whether results name their tool."""

    turns: tuple[Turn, ...]
    system: str = ""
    tools: tuple[Row, ...] = ()

    @property
    def has_calls(self) -> bool:
        return any(turn.calls for turn in self.turns)

    @property
    def has_thoughts(self) -> bool:
        return any(turn.thought for turn in self.turns)


def tool(name: str) -> Row:
    """Return a bare function."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"name": name, "description": f"What {name} does", "parameters": parameters}


def wrapped(chat: Chat) -> list[Row]:
    return [{"type": "function", "function": each} for each in chat.tools]


def messages(chat: Chat, *, ids: bool = True, named: bool = False, answered: bool = False) -> list[Row]:
    """Return the messages in OpenAI's form; ``answered``: all but the last turn's are context, and not trained."""
    listed: list[Row] = [{"role": "system", "content": chat.system}] if chat.system else []
    for number, turn in enumerate(chat.turns):
        weight = {"weight": 0} if answered and number < len(chat.turns) - 1 else {}
        thought = {"reasoning_content": turn.thought} if turn.thought else {}
        listed.append({"role": "user", "content": turn.question})
        if turn.calls:
            calls = [
                {**({"id": f"call{number}{i}"} if ids else {}), "type": "function", "function": call.facts(text=True)}
                for i, call in enumerate(turn.calls)
            ]
            listed.append({"role": "assistant", "content": turn.said, **thought, "tool_calls": calls, **weight})
            for i, call in enumerate(turn.calls):
                told = {"tool_call_id": f"call{number}{i}"} if ids else {}
                told |= {"name": call.name} if named else {}
                listed.append({"role": "tool", "content": call.result, **told})
            thought = {}
        listed.append({"role": "assistant", "content": turn.answer, **thought, **weight})
    return listed


def openai(chat: Chat) -> Row:
    return {"messages": messages(chat), **({"tools": wrapped(chat)} if chat.tools else {})}


def as_text(chat: Chat) -> Row:
    """Write everything as JSON text, some of it twice, as tables of strings hold it."""
    listed = messages(chat)
    for each in listed:
        if "tool_calls" in each:
            calls = each["tool_calls"]
            for call in calls:
                call["function"]["arguments"] = json.dumps(call["function"]["arguments"])  # a text of a text
            each["tool_calls"] = json.dumps([json.dumps(call) for call in calls])
        else:
            each["tool_calls"] = ""
    tools = {"tools": [json.dumps(each) for each in chat.tools]} if chat.tools else {"tools": ""}
    return {"messages": json.dumps(json.dumps(listed)), **tools}


def as_python(chat: Chat) -> Row:
    """Write everything as Python prints it."""
    return {"messages": repr(messages(chat)), "tools": repr(wrapped(chat))}


def sharegpt(chat: Chat) -> Row:
    names = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}
    turns = []
    for each in messages(chat, ids=False):
        if each["role"] == "assistant" and "tool_calls" in each:
            if each["content"]:
                turns.append({"from": "gpt", "value": each["content"]})
            calls = [json.dumps(call["function"]) for call in each["tool_calls"]]
            turns += [{"from": "function_call", "value": call} for call in calls]
        else:
            turns.append({"from": names[each["role"]], "value": each["content"]})
    return {"conversations": turns, **({"tools": json.dumps(list(chat.tools))} if chat.tools else {})}


def siblings(chat: Chat) -> Row:
    """Write each call as a message of its own, its name and arguments beside the role."""
    listed = []
    for each in messages(chat, ids=False):
        calls = each.pop("tool_calls", [])
        if each["content"] or not calls:
            listed.append(each)
        listed += [{"role": "tool_call", **json.loads(json.dumps(call["function"]))} for call in calls]
    return {"messages": listed, "tools": list(chat.tools)}


def anthropic(chat: Chat) -> Row:
    listed = []
    for number, turn in enumerate(chat.turns):
        listed.append({"role": "user", "content": [{"type": "text", "text": turn.question}]})
        thought = [{"type": "thinking", "thinking": turn.thought, "signature": "x"}] if turn.thought else []
        if turn.calls:
            said = [{"type": "text", "text": turn.said}] if turn.said else []
            uses = [
                {"type": "tool_use", "id": f"call{number}{i}", "name": call.name, "input": call.arguments}
                for i, call in enumerate(turn.calls)
            ]
            listed.append({"role": "assistant", "content": [*thought, *said, *uses]})
            results = [
                {
                    "type": "tool_result",
                    "tool_use_id": f"call{number}{i}",
                    "content": [{"type": "text", "text": call.result}],
                }
                for i, call in enumerate(turn.calls)
            ]
            listed.append({"role": "user", "content": results})
            thought = []
        listed.append({"role": "assistant", "content": [*thought, {"type": "text", "text": turn.answer}]})
    tools = [{"input_schema" if key == "parameters" else key: v for key, v in each.items()} for each in chat.tools]
    system = {"system": [{"type": "text", "text": chat.system, "cache_control": {"type": "x"}}]} if chat.system else {}
    return {**system, "messages": listed, **({"tools": tools} if tools else {}), "model": "m", "max_tokens": 9}


def bedrock(chat: Chat) -> Row:
    listed = []
    for number, turn in enumerate(chat.turns):
        listed.append({"role": "user", "content": [{"text": turn.question}]})
        thought = [{"reasoningContent": {"reasoningText": {"text": turn.thought}}}] if turn.thought else []
        if turn.calls:
            said = [{"text": turn.said}] if turn.said else []
            uses = [
                {"toolUse": {"toolUseId": f"call{number}{i}", "name": call.name, "input": call.arguments}}
                for i, call in enumerate(turn.calls)
            ]
            listed.append({"role": "assistant", "content": [*thought, *said, *uses]})
            results = [
                {"toolResult": {"toolUseId": f"call{number}{i}", "content": [{"text": call.result}]}}
                for i, call in enumerate(turn.calls)
            ]
            listed.append({"role": "user", "content": results})
            thought = []
        listed.append({"role": "assistant", "content": [*thought, {"text": turn.answer}]})
    specs = [
        {
            "toolSpec": {
                **{k: v for k, v in each.items() if k != "parameters"},
                "inputSchema": {"json": each["parameters"]},
            }
        }
        for each in chat.tools
    ]
    system = {"system": [{"text": chat.system}]} if chat.system else {}
    return {"schemaVersion": "x", **system, "messages": listed, **({"toolConfig": {"tools": specs}} if specs else {})}


def gemini(chat: Chat) -> Row:
    contents = []
    for turn in chat.turns:
        contents.append({"role": "user", "parts": [{"text": turn.question}]})
        thought = [{"text": turn.thought, "thought": True}] if turn.thought else []
        if turn.calls:
            said = [{"text": turn.said}] if turn.said else []
            calls = [{"functionCall": {"name": call.name, "args": call.arguments}} for call in turn.calls]
            contents.append({"role": "model", "parts": [*thought, *said, *calls]})
            answers = [{"functionResponse": {"name": call.name, "response": call.result}} for call in turn.calls]
            contents.append({"role": "function", "parts": answers})
            thought = []
        contents.append({"role": "model", "parts": [*thought, {"text": turn.answer}]})
    system = {"systemInstruction": {"parts": [{"text": chat.system}]}} if chat.system else {}
    tools = {"tools": [{"functionDeclarations": list(chat.tools)}]} if chat.tools else {}
    return {**system, "contents": contents, **tools}


def items(chat: Chat) -> list[Row]:
    """Return the items of OpenAI's responses."""
    listed = []
    for number, turn in enumerate(chat.turns):
        listed.append({"role": "user", "content": [{"type": "input_text", "text": turn.question}]})
        thought = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": turn.thought}]}]
        said = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": turn.said}]}]
        answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": turn.answer}]}
        listed += thought if turn.thought else []
        if turn.calls:
            listed += said if turn.said else []
            listed += [
                {"type": "function_call", "call_id": f"call{number}{i}", **call.facts(text=True)}
                for i, call in enumerate(turn.calls)
            ]
            listed += [
                {"type": "function_call_output", "call_id": f"call{number}{i}", "output": call.result}
                for i, call in enumerate(turn.calls)
            ]
        listed.append(answer)
    return listed


def responses(chat: Chat) -> Row:
    listed = items(chat)
    last = max(index for index, each in enumerate(listed) if each.get("role") == "user")
    told = {"instructions": chat.system} if chat.system else {}
    tools = {"tools": [{"type": "function", **each} for each in chat.tools]} if chat.tools else {}
    return {**told, "input": listed[: last + 1], "output": listed[last + 1 :], **tools}


def log(chat: Chat) -> Row:
    """Write the last answer as a server's, and all before it as the request."""
    listed = messages(chat)
    request = {"model": "m", "temperature": 0.5, "messages": listed[:-1], "tools": wrapped(chat)}
    choice = {"index": 0, "finish_reason": "stop", "message": {**listed[-1], "refusal": None}}
    return {"request": request, "response": {"id": "x", "object": "y", "choices": [choice], "usage": {"total": 3}}}


def completion(chat: Chat) -> Row:
    listed = messages(chat)
    last = max(index for index, each in enumerate(listed) if each["role"] == "user")
    return {"prompt": listed[: last + 1], "completion": listed[last + 1 :], "tools": wrapped(chat)}


def preference(chat: Chat) -> Row:
    """Write the last turn as the chosen one of two."""
    row = completion(chat)
    bad = [{"role": "assistant", "content": "A bad answer."}]
    return {"messages": row["prompt"], "chosen": row["completion"], "rejected": bad, "tools": row["tools"]}


def pairs(chat: Chat) -> Row:
    return {
        "conversation": [{"human": turn.question, "assistant": turn.answer} for turn in chat.turns],
        "system": chat.system,
    }


def texts(chat: Chat) -> Row:
    return {"dialog": [text for turn in chat.turns for text in (turn.question, turn.answer)], "system": chat.system}


def alpaca(chat: Chat) -> Row:
    *before, last = chat.turns
    history = [[turn.question, turn.answer] for turn in before]
    return {"instruction": last.question, "input": "", "output": last.answer, "history": history, "system": chat.system}


def query(chat: Chat) -> Row:
    row = alpaca(chat)
    return {"query": row["instruction"], "response": row["output"], "history": row["history"], "system": chat.system}


def hermes(chat: Chat) -> Row:
    turns = []
    listed = "\n".join(json.dumps(each) for each in wrapped(chat))
    told = f"{chat.system}\n<tools>\n{listed}\n</tools>" if chat.tools else chat.system
    if told:
        turns.append({"from": "system", "value": told})
    for turn in chat.turns:
        turns.append({"from": "human", "value": turn.question})
        if turn.calls:
            calls = "\n".join(f"<tool_call>\n{json.dumps(call.facts())}\n</tool_call>" for call in turn.calls)
            turns.append({"from": "gpt", "value": f"{turn.said}\n{calls}" if turn.said else calls})
            results = (f"<tool_response>\n{call.result}\n</tool_response>\n" for call in turn.calls)
            turns += [{"from": "tool", "value": result} for result in results]
        turns.append({"from": "gpt", "value": turn.answer})
    return {"conversations": turns}


def harmony(chat: Chat) -> Row:
    listed: list[Row] = [{"role": "system", "content": chat.system}] if chat.system else []
    for turn in chat.turns:
        listed.append({"role": "user", "content": turn.question})
        if turn.thought:
            listed.append({"role": "assistant", "channel": "analysis", "content": turn.thought})
        if turn.calls:
            if turn.said:
                listed.append({"role": "assistant", "channel": "commentary", "content": turn.said})
            for call in turn.calls:
                asked = {"recipient": f"functions.{call.name}", "content": json.dumps(call.arguments)}
                listed.append({"role": "assistant", "channel": "commentary", **asked})
            listed += [{"role": "tool", "name": call.name, "content": call.result} for call in turn.calls]
        listed.append({"role": "assistant", "channel": "final", "content": turn.answer})
    return {"messages": listed, "tools": wrapped(chat)}


@dataclass(frozen=True)
class Writing:
    """A way to write a conversation, and what it cannot carry: then the conversation is taken without it."""

    write: Callable[[Chat], Row]
    calls: bool = True
    thoughts: bool = True
    ids: bool = True
    named: bool = False
    answered: bool = False
    config: tuple[tuple[str, Any], ...] = ()

    def carries(self, chat: Chat) -> bool:
        return (self.calls or not (chat.has_calls or chat.tools)) and (self.thoughts or not chat.has_thoughts)

    def expected(self, chat: Chat) -> Row:
        """Return the row of OpenAI's form that holds the same."""
        listed = messages(chat, ids=self.ids, named=self.named, answered=self.answered)
        return {"messages": listed, **({"tools": wrapped(chat)} if chat.tools else {})}


_BARE = {"calls": False, "thoughts": False}
WRITINGS: dict[str, Writing] = {
    "openai": Writing(openai),
    "json text": Writing(as_text),
    "python": Writing(as_python),
    "sharegpt": Writing(sharegpt, thoughts=False, ids=False),
    "siblings": Writing(siblings, thoughts=False, ids=False),
    "anthropic": Writing(anthropic),
    "bedrock": Writing(bedrock),
    "gemini": Writing(gemini, ids=False, named=True),
    "responses": Writing(responses, answered=True),
    "completion": Writing(completion, answered=True),
    "preference": Writing(preference, answered=True, config=(("chosen", True),)),
    "pairs": Writing(pairs, **_BARE),
    "texts": Writing(texts, **_BARE),
    "alpaca": Writing(alpaca, **_BARE),
    "query": Writing(query, **_BARE),
    "hermes": Writing(hermes, thoughts=False, ids=False),
    "harmony": Writing(harmony, ids=False, named=True),
}
"""All writings but the log of one request, of which only the last message is trained."""


def without(chat: Chat, writing: Writing) -> Chat:
    """Return a conversation less what a writing cannot carry."""
    if not writing.calls:
        chat = replace(chat, tools=(), turns=tuple(replace(turn, calls=(), said="") for turn in chat.turns))
    if not writing.thoughts:
        chat = replace(chat, turns=tuple(replace(turn, thought="") for turn in chat.turns))
    return chat
