"""OpenAI's own SDK against the gateway: nothing is configured but the base URL and the key, by the SDK's own variables."""

import os

import openai

MODEL = "sim-mistral-large"
client = openai.OpenAI(max_retries=0, timeout=30)
requests = 0


def counted(call):
    global requests
    requests += 1
    return call()


# Chat, whole.
answer = counted(lambda: client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}]))
assert answer.choices[0].message.content.endswith("you said hello"), answer
assert answer.choices[0].finish_reason == "stop"
assert answer.model
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0

# What the gateway tells beside it.
raw = counted(
    lambda: client.chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": "hello"}])
)
assert raw.headers["x-chancery-geo"] == "eu"
assert raw.parse().choices[0].message.role == "assistant"

# A stream, with and without usage.
stream = counted(
    lambda: client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}], stream=True)
)
chunks = list(stream)
assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == answer.choices[0].message.content
assert all(c.usage is None for c in chunks), "usage that nobody asked for"
stream = counted(
    lambda: client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "hello"}],
        stream=True,
        stream_options={"include_usage": True},
    )
)
chunks = list(stream)
assert chunks[-1].usage.completion_tokens == answer.usage.completion_tokens

# The SDK's own stream, with its events put together.
with counted(
    lambda: client.chat.completions.stream(model=MODEL, messages=[{"role": "user", "content": "hello"}])
) as events:
    for _ in events:
        pass
    assert events.get_final_completion().choices[0].message.content == answer.choices[0].message.content

# Tools, and a form of the answer.
tools = [{"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
called = counted(lambda: client.chat.completions.create(
    model=MODEL, tools=tools, tool_choice="required", messages=[{"role": "user", "content": "Berlin?"}]))
assert called.choices[0].finish_reason == "tool_calls"
assert called.choices[0].message.tool_calls[0].function.name == "weather"

# The Responses API: whole, its events, tools called and answered, a form of the answer, and nothing stored.
response = counted(lambda: client.responses.create(model=MODEL, instructions="Be brief.", input="hello"))
assert response.output_text.endswith("you said hello"), response
assert response.status == "completed" and response.store is False and response.model == MODEL
assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0
events = list(counted(lambda: client.responses.create(model=MODEL, instructions="Be brief.", input="hello", stream=True)))
kinds = [event.type for event in events]
assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed", kinds
assert [event.sequence_number for event in events] == list(range(len(events)))
assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == response.output_text
assert events[-1].response.output_text == response.output_text
assert events[-1].response.usage == response.usage
with counted(lambda: client.responses.stream(model=MODEL, instructions="Be brief.", input="hello")) as stream:
    assert stream.get_final_response().output_text == response.output_text
weather = [{"type": "function", "name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]
asked = [{"role": "user", "content": [{"type": "input_text", "text": "Berlin?"}]}]
response = counted(lambda: client.responses.create(model=MODEL, input=asked, tools=weather, tool_choice="required"))
call = [item for item in response.output if item.type == "function_call"][0]
assert call.name == "weather" and call.call_id and call.arguments.startswith("{"), call
with counted(lambda: client.responses.stream(
        model=MODEL, input=asked, tools=weather, tool_choice={"type": "function", "name": "weather"})) as stream:
    final = stream.get_final_response()
assert [item.name for item in final.output if item.type == "function_call"] == ["weather"], final
asked += [call.model_dump(exclude_none=True), {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
assert counted(lambda: client.responses.create(model=MODEL, input=asked, tools=weather)).output
formed = counted(lambda: client.responses.create(model=MODEL, input="Berlin?", text={"format": {
    "type": "json_schema", "name": "place", "schema": weather[0]["parameters"]}}))
assert "city" in formed.output_text, formed
short = counted(lambda: client.responses.create(
    model=MODEL, max_output_tokens=3, input="[[sim:say=one two three four five six]]"))
assert short.status == "incomplete" and short.incomplete_details.reason == "max_output_tokens", short

# Vectors; the SDK asks for base64 where it is not told otherwise.
vectors = counted(lambda: client.embeddings.create(model="sim-embed-small", input=["one", "two"]))
assert [len(v.embedding) for v in vectors.data] == [1536, 1536]
floats = counted(lambda: client.embeddings.create(model="sim-embed-small", input=["one", "two"], encoding_format="float"))
assert all(abs(a - b) < 1e-6 for a, b in zip(vectors.data[0].embedding, floats.data[0].embedding))

# Models.
models = [model.id for model in client.models.list()]
assert "sim-gpt-4o" in models and len(models) >= 12, models
assert client.models.retrieve("sim-gpt-4o").id == "sim-gpt-4o"


# Errors are of the SDK's own classes.
def refused(kind, code, call):
    try:
        counted(call)
    except kind as error:
        assert error.code == code, (error.code, code)
        assert error.request_id is None or error.request_id
        return error
    raise AssertionError(f"{code} was not refused")


def chat(model=MODEL, text="hello", who=client, **more):
    return lambda: who.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


nobody = openai.OpenAI(api_key="chy_nobody_knows", max_retries=0)
refused(openai.AuthenticationError, "invalid_api_key", chat(who=nobody))
refused(openai.NotFoundError, "model_not_found", chat(model="no-such-model"))
refused(openai.PermissionDeniedError, "content_blocked", chat(text="about project-x"))
error = refused(openai.PermissionDeniedError, "residency_unsatisfied", chat(model="sim-gemini-pro"))
assert error.body["chancery"]["reasons"][0]["code"] == "residency_unsatisfied", error.body
error = refused(openai.BadRequestError, "invalid_request", lambda: client.chat.completions.create(model=MODEL, messages=[]))
assert error.param == "messages"
refused(openai.BadRequestError, "invalid_request", chat(temperature="hot"))
refused(openai.InternalServerError, "upstream_error", chat(text="[[sim:error=503]]"))
refused(openai.NotFoundError, "not_found", lambda: client.responses.create(
    model=MODEL, input="hello", previous_response_id="resp_of_somebody"))
refused(openai.BadRequestError, "invalid_request", lambda: client.responses.create(model=MODEL, input=[{"role": "nobody"}]))
refused(openai.BadRequestError, "invalid_request", lambda: client.responses.create(
    model=MODEL, input="hello", background=True))
refused(openai.PermissionDeniedError, "content_blocked", lambda: client.responses.create(
    model=MODEL, input="about project-x"))
support = openai.OpenAI(api_key=os.environ["OTHER_API_KEY"], max_retries=0)
for _ in range(5):
    counted(chat(model="sim-gpt-4o-mini", who=support))
error = refused(openai.RateLimitError, "rate_limit_exceeded", chat(model="sim-gpt-4o-mini", who=support))
assert 1 <= int(error.response.headers["retry-after"]) <= 60

# A stream that breaks off is an error, not a short answer.
try:
    list(counted(chat(text="[[sim:say=one two three four five six]][[sim:cut=2]]", stream=True)))
except openai.APIError as error:
    assert error.code == "upstream_error", error
else:
    raise AssertionError("a cut stream looked whole")
try:
    list(counted(lambda: client.responses.create(
        model=MODEL, input="[[sim:say=one two three four five six]][[sim:cut=2]]", stream=True)))
except openai.APIError as error:
    assert error.body["code"] == "upstream_error", error.body
else:
    raise AssertionError("a cut stream looked whole")

print(f"requests: {requests}")
