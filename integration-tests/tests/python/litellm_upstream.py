"""A gateway that nobody here wrote is the vendor, in each of its three dialects: the same words come through every door, whole and in streams."""

import os

import anthropic
import openai
from google import genai
from google.genai import types

MODELS = ["litellm-via-openai", "litellm-via-anthropic", "litellm-via-gemini"]
SAID = "one two three four five six seven"
QUESTION = "hello"

of_openai = openai.OpenAI(max_retries=0, timeout=30)
of_anthropic = anthropic.Anthropic(max_retries=0, timeout=30)
of_gemini = genai.Client(
    api_key=os.environ["GEMINI_API_KEY"], vertexai=False,
    http_options=types.HttpOptions(base_url=os.environ["GEMINI_BASE_URL"]))


def of_chat(model):
    asked = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
    whole = of_openai.chat.completions.create(**asked)
    yield whole.choices[0].message.content, whole.usage.completion_tokens
    chunks = list(of_openai.chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked))
    yield "".join(c.choices[0].delta.content or "" for c in chunks if c.choices), chunks[-1].usage.completion_tokens


def of_responses(model):
    whole = of_openai.responses.create(model=model, input=QUESTION)
    yield whole.output_text, whole.usage.output_tokens
    with of_openai.responses.stream(model=model, input=QUESTION) as stream:
        final = stream.get_final_response()
    yield final.output_text, final.usage.output_tokens


def of_messages(model):
    asked = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": QUESTION}]}
    whole = of_anthropic.messages.create(**asked)
    yield whole.content[0].text, whole.usage.output_tokens
    with of_anthropic.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    yield final.content[0].text, final.usage.output_tokens


def of_contents(model):
    whole = of_gemini.models.generate_content(model=model, contents=QUESTION)
    yield whole.text, whole.usage_metadata.candidates_token_count
    chunks = list(of_gemini.models.generate_content_stream(model=model, contents=QUESTION))
    yield "".join(c.text or "" for c in chunks), chunks[-1].usage_metadata.candidates_token_count


asked = 0
for model in MODELS:
    for door in (of_chat, of_responses, of_messages, of_contents):
        for text, tokens in door(model):
            # In Gemini's streams it counts nothing; what it says of that is told as it says it, and the records have our own count.
            assert text == SAID and (tokens > 0 or model.endswith("gemini")), (model, door.__name__, text, tokens)
            asked += 1
print("requests:", asked)
