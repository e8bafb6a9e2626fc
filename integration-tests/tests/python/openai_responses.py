"""The official OpenAI SDK and a vendor that speaks the Responses API: what is asked arrives as it was asked, what is answered comes back."""

import openai
import pydantic

MODEL = "sim-story"
client = openai.OpenAI(max_retries=0, timeout=30)
requests = 0


def counted(ask):
    global requests
    requests += 1
    return ask()


class Place(pydantic.BaseModel):
    city: str


weather = {"type": "function", "name": "weather", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}
mcp = {"type": "mcp", "server_label": "files", "server_url": "https://mcp.example.org", "authorization": "token-of-the-caller",
       "headers": {"x-key": "key-of-the-caller"}, "require_approval": "never"}

# Whole: thoughts sealed, a search that the vendor makes, a text that cites, a call; the address that we sent is the first, and is told as it was written.
asked = [{"role": "user", "content": [{"type": "input_text", "text": "Whom? 4111 1111 1111 1111"}]}]
answer = counted(lambda: client.responses.create(
    model=MODEL, instructions="Be brief, for ada@example.org.", input=asked, tools=[{"type": "web_search"}, mcp, weather],
    include=["reasoning.encrypted_content"], reasoning={"effort": "low", "summary": "detailed"}, max_output_tokens=300,
    max_tool_calls=2, metadata={"k": "v"}))
thought, search, message, call = answer.output
assert answer.id.startswith("resp_67ccd2be") and message.id.startswith("msg_67ccd2bf"), answer
assert (answer.model, answer.store, answer.status) == (MODEL, False, "completed"), answer
assert answer.output_text == "Ask [EMAIL_2] about it.", answer
assert message.content[0].annotations[0].url == "https://example.org/people", message
assert thought.summary[0].text == "They want [EMAIL_2], it seems." and thought.encrypted_content.startswith("gAAAA"), thought
assert search.type == "web_search_call" and search.action.query == "who to ask", search
assert (call.name, call.arguments) == ("weather", '{"city":"Berlin","for":"[EMAIL_2]"}'), call
assert answer.instructions == "Be brief, for ada@example.org." and answer.metadata == {"k": "v"}, answer
assert [tool.type for tool in answer.tools] == ["web_search", "mcp", "function"], answer
assert answer.tools[1].authorization is None and answer.tools[1].headers is None, answer
assert answer.usage.input_tokens_details.cached_tokens == 64, answer.usage
assert answer.usage.output_tokens_details.reasoning_tokens == 40, answer.usage

# What was answered goes back with the next question, thoughts as they were sealed.
asked += [item.model_dump(exclude_none=True) for item in answer.output]
asked += [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
after = counted(lambda: client.responses.create(model=MODEL, input=asked, tools=[{"type": "web_search"}, weather], store=True))
assert after.output_text == "Sunny." and after.store is False, after

# A stream: numbered without a gap, masked though the vendor cut it, and the whole as its pieces.
events = list(counted(lambda: client.responses.create(model=MODEL, instructions="Be brief.", input="Whom?", stream=True)))
assert [event.sequence_number for event in events] == list(range(len(events))), events
text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
assert text == "Ask [EMAIL_1]" == events[-1].response.output_text, events
assert events[-1].type == "response.completed" and events[-1].response.usage.total_tokens == 48, events[-1]
assert events[0].response.model == MODEL, events[0]
with counted(lambda: client.responses.stream(model=MODEL, instructions="Be brief.", input="Whom?")) as stream:
    assert stream.get_final_response().output_text == text

# A form of the answer.
parsed = counted(lambda: client.responses.parse(model=MODEL, input="Where?", text_format=Place))
assert parsed.output_parsed == Place(city="Berlin"), parsed

# A vendor that breaks off, and one that refuses.
try:
    for event in counted(lambda: client.responses.create(model=MODEL, input="Whom?", stream=True)):
        last = event.type
    raise AssertionError("a broken stream ended well")
except openai.APIError as error:
    assert error.body["code"] == "upstream_error" and last == "response.output_text.delta", (error.body, last)
try:
    counted(lambda: client.responses.create(model=MODEL, input="Whom?", top_logprobs=3))
    raise AssertionError("what a vendor refuses was answered")
except openai.BadRequestError as error:
    assert error.body["code"] == "upstream_rejected" and "not with this model" in error.body["message"], error.body

print(f"requests: {requests}")
