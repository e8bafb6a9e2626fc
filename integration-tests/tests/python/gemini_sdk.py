"""Google's own SDK against the gateway: nothing is configured but the base URL and the key."""

import os

from google import genai
from google.genai import errors, types

MODEL = "sim-mistral-large"


def client_of(key):
    options = types.HttpOptions(base_url=os.environ["GEMINI_BASE_URL"])
    return genai.Client(api_key=key, vertexai=False, http_options=options)


client = client_of(os.environ["GEMINI_API_KEY"])
requests = 0


def counted(call):
    global requests
    requests += 1
    return call()


def ask(text="hello", model=MODEL, who=client, **config):
    return lambda: who.models.generate_content(
        model=model, contents=text, config=types.GenerateContentConfig(**config) if config else None
    )


# An answer, whole.
answer = counted(ask())
assert answer.text.endswith("you said hello"), answer
assert answer.candidates[0].finish_reason == types.FinishReason.STOP
assert answer.candidates[0].content.role == "model"
used = answer.usage_metadata
assert used.prompt_token_count > 0 and used.candidates_token_count > 0
assert used.total_token_count == used.prompt_token_count + used.candidates_token_count

# A stream.
chunks = list(counted(lambda: client.models.generate_content_stream(model=MODEL, contents="hello")))
assert "".join(chunk.text or "" for chunk in chunks) == answer.text
assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP or any(
    c.candidates and c.candidates[0].finish_reason == types.FinishReason.STOP for c in chunks)
assert chunks[-1].usage_metadata.candidates_token_count == used.candidates_token_count

# Several turns, and a system instruction.
chat = client.chats.create(model=MODEL, config=types.GenerateContentConfig(
    system_instruction="Be brief.", temperature=0.5, max_output_tokens=200))
assert counted(lambda: chat.send_message("one")).text
assert counted(lambda: chat.send_message("two")).text.endswith("you said two")

# As long as it may be.
short = counted(ask("[[sim:say=one two three four five six]]", max_output_tokens=3))
assert short.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS, short

# Tools: called and answered.
weather = types.Tool(function_declarations=[types.FunctionDeclaration(
    name="weather", description="tells the weather",
    parameters=types.Schema(type="OBJECT", properties={"city": types.Schema(type="STRING")}, required=["city"]))])
must = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
called = counted(ask("Berlin?", tools=[weather], tool_config=must))
call = called.function_calls[0]
assert call.name == "weather" and isinstance(call.args, dict), called
answered = counted(lambda: client.models.generate_content(model=MODEL, config=types.GenerateContentConfig(tools=[weather]), contents=[
    types.Content(role="user", parts=[types.Part(text="Berlin?")]),
    called.candidates[0].content,
    types.Content(role="user", parts=[types.Part.from_function_response(name="weather", response={"result": "sunny"})]),
]))
assert answered.text or answered.function_calls, answered

# A form of the answer.
formed = counted(ask("Berlin?", response_mime_type="application/json", response_schema={
    "type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}))
assert "city" in formed.text, formed

# A picture.
pixel = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082")
seen = counted(lambda: client.models.generate_content(model="sim-gpt-4o", contents=[
    types.Part.from_bytes(data=pixel, mime_type="image/png"), "what is it?"]))
assert seen.text

# Personal data is masked on the way in as at every other door.
masked = counted(ask("write to ada@example.org", model="sim-gpt-4o"))
assert "ada@example.org" not in masked.text, masked

# Tokens are counted without asking anybody.
count = client.models.count_tokens(model=MODEL, contents="hello there " * 50)
assert 50 <= count.total_tokens <= 400, count

# Models.
models = [model.name for model in client.models.list()]
assert "models/sim-gpt-4o" in models and len(models) >= 12, models
assert client.models.get(model="sim-gpt-4o").name == "models/sim-gpt-4o"


# Errors are of the SDK's own classes.
def refused(kind, status, code, call, is_counted=True):
    try:
        counted(call) if is_counted else call()
    except kind as error:
        assert error.code == status, (error.code, status)
        ours = error.details["error"]["chancery"]
        assert ours["code"] == code, (error.details, code)
        return error
    raise AssertionError(f"{code} was not refused")


refused(errors.ClientError, 401, "invalid_api_key", ask(who=client_of("chy_nobody_knows")))
refused(errors.ClientError, 404, "model_not_found", ask(model="no-such-model"))
refused(errors.ClientError, 403, "content_blocked", ask("about project-x"))
refused(errors.ClientError, 403, "residency_unsatisfied", ask(model="sim-gemini-pro"))
refused(errors.ServerError, 502, "upstream_error", ask("[[sim:error=500]]"))
support = client_of(os.environ["OTHER_API_KEY"])
for _ in range(5):
    counted(ask(model="sim-gpt-4o-mini", who=support))
refused(errors.ClientError, 429, "rate_limit_exceeded", ask(model="sim-gpt-4o-mini", who=support))

# A stream that breaks off is an error, not a short answer.
try:
    list(counted(lambda: client.models.generate_content_stream(
        model=MODEL, contents="[[sim:say=one two three four five six]][[sim:cut=2]]")))
except errors.APIError as error:
    assert error.details["error"]["chancery"]["code"] == "upstream_error", error.details
else:
    raise AssertionError("a cut stream looked whole")

print(f"requests: {requests}")
