"""Anthropic's own SDK against the gateway: nothing is configured but the base URL and the key, by the SDK's own variables."""

import os

import anthropic

MODEL = "sim-mistral-large"
client = anthropic.Anthropic(max_retries=0, timeout=30)
requests = 0


def counted(call):
    global requests
    requests += 1
    return call()


def ask(text="hello", model=MODEL, who=client, **more):
    return lambda: who.messages.create(
        model=model, max_tokens=200, messages=[{"role": "user", "content": text}], **more
    )


# A message, whole.
answer = counted(ask())
assert answer.type == "message" and answer.role == "assistant" and answer.model == MODEL, answer
assert [block.type for block in answer.content] == ["text"]
assert answer.content[0].text.endswith("you said hello"), answer
assert answer.stop_reason == "end_turn" and answer.stop_sequence is None
assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0
assert answer.id

# What the gateway tells beside it, and the id where the SDK looks for it.
raw = counted(lambda: client.messages.with_raw_response.create(
    model=MODEL, max_tokens=200, messages=[{"role": "user", "content": "hello"}]))
assert raw.headers["x-chancery-geo"] == "eu" and raw.headers["request-id"] == raw.headers["x-chancery-request-id"]

# What the vendor has not for all yet is asked for by the SDK's own way; who does not know it is not told, and the caller is.
beta = counted(lambda: client.beta.messages.create(
    model=MODEL, max_tokens=200, betas=["context-1m-2025-08-07"], messages=[{"role": "user", "content": "hello"}]))
assert beta.content[0].text == answer.content[0].text, beta
error = None
try:
    counted(lambda: client.beta.messages.create(
        model=MODEL, max_tokens=200, betas=["no name"], messages=[{"role": "user", "content": "hello"}]))
except anthropic.BadRequestError as refusal:
    error = refusal.body["error"]["message"]
assert "anthropic-beta" in error, error

# Blocks, a system prompt with a mark that says what may be kept, several turns.
turns = counted(lambda: client.messages.create(
    model=MODEL, max_tokens=200,
    system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    messages=[
        {"role": "user", "content": [{"type": "text", "text": "one"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": [{"type": "text", "text": "three"}]},
    ]))
assert turns.content[0].text.endswith("you said three"), turns

# A stream: its events as they are sent, and as the SDK puts them together.
events = list(counted(ask(stream=True)))
kinds = [event.type for event in events]
assert kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds
assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 1, kinds
text = "".join(e.delta.text for e in events if e.type == "content_block_delta")
assert text == answer.content[0].text
last = [e for e in events if e.type == "message_delta"][-1]
assert last.delta.stop_reason == "end_turn" and last.usage.output_tokens == answer.usage.output_tokens
with counted(lambda: client.messages.stream(
        model=MODEL, max_tokens=200, messages=[{"role": "user", "content": "hello"}])) as stream:
    assert "".join(stream.text_stream) == answer.content[0].text
    assert stream.get_final_message().usage.output_tokens == answer.usage.output_tokens

# As long as it may be.
short = counted(lambda: client.messages.create(
    model=MODEL, max_tokens=3, messages=[{"role": "user", "content": "[[sim:say=one two three four five six]]"}]))
assert short.stop_reason == "max_tokens", short

# Tools: called, answered, and called in a stream.
tools = [{"name": "weather", "description": "tells the weather", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]
question = {"role": "user", "content": "Berlin?"}
called = counted(lambda: client.messages.create(
    model=MODEL, max_tokens=200, tools=tools, tool_choice={"type": "any"}, messages=[question]))
assert called.stop_reason == "tool_use", called
use = [block for block in called.content if block.type == "tool_use"][0]
assert use.name == "weather" and use.id and isinstance(use.input, dict)
answered = counted(lambda: client.messages.create(
    model=MODEL, max_tokens=200, tools=tools, messages=[
        question,
        {"role": "assistant", "content": called.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}]},
    ]))
assert answered.content, answered
with counted(lambda: client.messages.stream(
        model=MODEL, max_tokens=200, tools=tools, tool_choice={"type": "tool", "name": "weather"},
        messages=[question])) as stream:
    final = stream.get_final_message()
assert [block.name for block in final.content if block.type == "tool_use"] == ["weather"], final
assert final.stop_reason == "tool_use"

# A picture.
pixel = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")
seen = counted(lambda: client.messages.create(model="sim-gpt-4o", max_tokens=200, messages=[{"role": "user", "content": [
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": pixel}},
    {"type": "text", "text": "what is it?"}]}]))
assert seen.content

# Personal data is masked on the way in as at every other door.
masked = counted(ask("write to ada@example.org", model="sim-gpt-4o"))
assert "ada@example.org" not in masked.content[0].text, masked

# Tokens are counted without asking anybody.
count = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hello there " * 50}])
assert 50 <= count.input_tokens <= 400, count

# Models.
models = [model.id for model in client.models.list()]
assert "sim-gpt-4o" in models and len(models) >= 12, models
assert client.models.retrieve("sim-gpt-4o").id == "sim-gpt-4o"


# Errors are of the SDK's own classes.
def refused(kind, code, call, is_counted=True):
    try:
        counted(call) if is_counted else call()
    except kind as error:
        assert error.body["type"] == "error", error.body
        assert error.body["error"]["chancery"]["code"] == code, (error.body, code)
        assert error.request_id, error.response.headers
        return error
    raise AssertionError(f"{code} was not refused")


nobody = anthropic.Anthropic(api_key="chy_nobody_knows", max_retries=0)
error = refused(anthropic.AuthenticationError, "invalid_api_key", ask(who=nobody))
assert error.body["error"]["type"] == "authentication_error"
error = refused(anthropic.NotFoundError, "model_not_found", ask(model="no-such-model"))
assert error.body["error"]["type"] == "not_found_error"
error = refused(anthropic.PermissionDeniedError, "content_blocked", ask("about project-x"))
assert error.body["error"]["type"] == "permission_error"
error = refused(anthropic.PermissionDeniedError, "residency_unsatisfied", ask(model="sim-gemini-pro"))
assert error.body["error"]["chancery"]["reasons"][0]["code"] == "residency_unsatisfied", error.body
refused(anthropic.BadRequestError, "invalid_request", lambda: client.messages.create(
    model=MODEL, max_tokens=10, messages=[]))
error = refused(anthropic.BadRequestError, "invalid_request", lambda: client.messages.create(
    model=MODEL, max_tokens=10, messages=[{"role": "user", "content": 7}]))
assert "messages[0].content" in error.body["error"]["message"], error.body
refused(anthropic.InternalServerError, "upstream_error", ask("[[sim:error=503]]"))
refused(anthropic.NotFoundError, "model_not_found", lambda: client.messages.count_tokens(
    model="no-such-model", messages=[{"role": "user", "content": "hello"}]), is_counted=False)
support = anthropic.Anthropic(api_key=os.environ["OTHER_API_KEY"], max_retries=0)
for _ in range(5):
    counted(ask(model="sim-gpt-4o-mini", who=support))
error = refused(anthropic.RateLimitError, "rate_limit_exceeded", ask(model="sim-gpt-4o-mini", who=support))
assert 1 <= int(error.response.headers["retry-after"]) <= 60
assert error.body["error"]["type"] == "rate_limit_error"

# A stream that breaks off is an error, not a short answer.
try:
    list(counted(ask("[[sim:say=one two three four five six]][[sim:cut=2]]", stream=True)))
except anthropic.APIStatusError as error:
    assert error.body["error"]["chancery"]["code"] == "upstream_error", error.body
else:
    raise AssertionError("a cut stream looked whole")

print(f"requests: {requests}")
