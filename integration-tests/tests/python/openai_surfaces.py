"""OpenAI's own SDK on what there is beside conversations: nothing is configured but the base URL and the key."""

import base64

import openai

client = openai.OpenAI(max_retries=0, timeout=30)
requests = 0


def counted(call):
    global requests
    requests += 1
    return call()


def refused(kind, code, call):
    try:
        counted(call)
    except kind as error:
        assert error.code == code, (error.code, code)
        return error
    raise AssertionError(f"{code} was not refused")


# A text, gone on with: whole, several at once, in a stream.
def complete(**more):
    return lambda: client.completions.create(**{"model": "sim-instruct", "prompt": "hello", **more})


answer = counted(complete())
assert answer.object == "text_completion" and answer.choices[0].text.endswith("you said hello"), answer
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
several = counted(complete(prompt=["one", "two"], n=2))
assert [choice.index for choice in several.choices] == [0, 1, 2, 3], several
chunks = list(counted(complete(stream=True)))
assert "".join(c.choices[0].text for c in chunks if c.choices) == answer.choices[0].text
assert all(c.usage is None for c in chunks), "usage that nobody asked for"
chunks = list(counted(complete(stream=True, stream_options={"include_usage": True})))
assert chunks[-1].usage == answer.usage, chunks[-1]
echoed = counted(complete(prompt="say more:", echo=True))
assert echoed.choices[0].text.startswith("say more:")
short = counted(complete(prompt="[[sim:say=one two three four five six]]", max_tokens=3))
assert short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 3
refused(openai.PermissionDeniedError, "content_blocked", complete(prompt=["hello", "about project-x"]))
refused(openai.BadRequestError, "invalid_request", complete(n=0))
refused(openai.BadRequestError, "operation_unsupported", complete(model="sim-mistral-large"))
try:
    list(counted(complete(prompt="[[sim:say=one two three four five six]][[sim:cut=2]]", stream=True)))
except openai.APIError as error:
    assert error.code == "upstream_error", error
else:
    raise AssertionError("a cut stream looked whole")


# Judgements.
def moderate(judged):
    return lambda: client.moderations.create(model="sim-moderation", input=judged)


judged = counted(moderate(["I will kill you", "a nice day"]))
assert [result.flagged for result in judged.results] == [True, False], judged
assert judged.results[0].categories.violence and judged.results[0].category_scores.violence > 0.5
assert not judged.results[1].categories.self_harm_intent
one = counted(moderate([
    {"type": "text", "text": "a nice day"},
    {"type": "image_url", "image_url": {"url": "https://pictures.example.org/a.png"}},
]))
assert len(one.results) == 1 and not one.results[0].flagged
refused(openai.PermissionDeniedError, "content_blocked", moderate("about project-x"))
refused(openai.BadRequestError, "invalid_request", moderate([]))


# An order of documents, which the SDK has no method for, but a way to ask.
def rerank(**more):
    body = {"model": "sim-rerank", "query": "capital of France", "documents": ["fish swim", "Paris, capital of France"]}
    return lambda: client.post("/rerank", body={**body, **more}, cast_to=object)


ordered = counted(rerank())
assert [result["index"] for result in ordered["results"]] == [1, 0], ordered
assert ordered["usage"]["total_tokens"] > 0
first = counted(rerank(top_n=1, return_documents=True))
assert first["results"][0]["document"]["text"] == "Paris, capital of France" and len(first["results"]) == 1
refused(openai.PermissionDeniedError, "content_blocked", rerank(documents=["fine", {"text": "about project-x"}]))
refused(openai.BadRequestError, "invalid_request", rerank(documents=[]))

# Pictures: made, and changed after a form.
def picture(**more):
    return lambda: client.images.generate(**{"model": "sim-image", "prompt": "a cat", "n": 2, **more})


made = counted(picture())
assert len(made.data) == 2 and base64.b64decode(made.data[0].b64_json).startswith(b"\x89PNG"), made
assert made.usage.output_tokens == 544 and made.data[0].revised_prompt == "a cat"
assert counted(picture(response_format="url")).data[0].url.startswith("https://pictures.invalid/")
refused(openai.PermissionDeniedError, "content_blocked", picture(prompt="about project-x"))
refused(openai.BadRequestError, "invalid_request", picture(stream=True))
dot = base64.b64decode(made.data[0].b64_json)
changed = counted(lambda: client.images.edit(model="sim-image", prompt="a dog", image=[dot, ("b.png", dot)], mask=dot))
assert changed.data[0].revised_prompt == "a dog", changed
assert len(counted(lambda: client.images.edit(model="sim-image", prompt="a dog", image=dot, n=3)).data) == 3
refused(openai.PermissionDeniedError, "content_blocked", lambda: client.images.edit(
    model="sim-image", prompt="fine", image=("project-x.png", dot)))


# Speech, whole and as it comes.
def speak(**more):
    return lambda: client.audio.speech.create(**{"model": "sim-speech", "voice": "alloy", "input": "one two three", **more})


sound = counted(speak())
assert sound.response.headers["content-type"] == "audio/wav"
assert sound.content.startswith(b"RIFF") and len(sound.content) == 44 + 3 * 400
requests += 1
with client.audio.speech.with_streaming_response.create(model="sim-speech", voice="alloy", input="one two three") as streamed:
    assert b"".join(streamed.iter_bytes()) == sound.content
refused(openai.PermissionDeniedError, "content_blocked", speak(input="about project-x"))
try:
    counted(speak(input="[[sim:cut=2]]one two three"))
except openai.APIConnectionError:
    pass
else:
    raise AssertionError("a cut sound looked whole")

# Speech, written down: the simulated vendor hears a file that is text as that text.
said = ("said.wav", b"a nice day")


def hear(kind="transcriptions", **more):
    return lambda: getattr(client.audio, kind).create(**{"model": "sim-whisper", "file": said, **more})


for kind in ("transcriptions", "translations"):
    assert counted(hear(kind)).text == "a nice day"
    assert counted(hear(kind, response_format="text")) == "a nice day\n"
    assert counted(hear(kind, response_format="srt")).startswith("1\n00:00:00,000 --> ")
    assert counted(hear(kind, response_format="vtt")).startswith("WEBVTT\n")
    verbose = counted(hear(kind, response_format="verbose_json"))
    assert verbose.segments[0].text == "a nice day", verbose
assert counted(hear(file=("noise.wav", b"\xff\xfe\xfd"), timestamp_granularities=["word", "segment"])).text == "3 bytes of sound"
refused(openai.PermissionDeniedError, "content_blocked", hear(prompt="about project-x"))
refused(openai.BadRequestError, "operation_unsupported", hear(model="sim-speech"))
refused(openai.BadRequestError, "invalid_request", hear(stream=True))

print(f"requests: {requests}")
