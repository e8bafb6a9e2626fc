"""Three official SDKs, each through its own doors, to endpoints that are spoken to in three dialects: the same comes of the same.

What one dialect has no place for goes to the next candidate of the route, and what changes nothing is left out and told.
"""

import json
import os

import anthropic
import openai
from google import genai
from google.genai import types

MODELS = ["sim-via-openai", "sim-via-anthropic", "sim-via-gemini"]
QUESTION = "[[sim:say=one two three four five six seven]]"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

of_openai = openai.OpenAI(max_retries=0, timeout=30)
of_anthropic = anthropic.Anthropic(max_retries=0, timeout=30)
of_gemini = genai.Client(
    api_key=os.environ["GEMINI_API_KEY"], vertexai=False,
    http_options=types.HttpOptions(base_url=os.environ["GEMINI_BASE_URL"]))


class OpenAI:
    def whole(self, model):
        answer = of_openai.chat.completions.create(
            model=model, messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}])
        return answer.choices[0].message.content, answer.usage.prompt_tokens, answer.usage.completion_tokens

    def stream(self, model):
        chunks = list(of_openai.chat.completions.create(
            model=model, stream=True, stream_options={"include_usage": True},
            messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]))
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        used = chunks[-1].usage
        return text, used.prompt_tokens, used.completion_tokens

    def tool(self, model):
        tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
        question = [{"role": "user", "content": "Berlin?"}]
        answer = of_openai.chat.completions.create(model=model, tools=tools, tool_choice="required", messages=question)
        call = answer.choices[0].message.tool_calls[0]
        back = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        message = answer.choices[0].message.model_dump(exclude_none=True)
        after = of_openai.chat.completions.create(model=model, tools=tools, messages=[*question, message, back])
        assert after.choices[0].message.content or after.choices[0].message.tool_calls
        return answer.choices[0].finish_reason == "tool_calls", call.function.name, json.loads(call.function.arguments)

    def short(self, model):
        answer = of_openai.chat.completions.create(
            model=model, max_tokens=3, messages=[{"role": "user", "content": QUESTION}])
        return answer.choices[0].finish_reason == "length"

    def fails(self, model):
        try:
            of_openai.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "[[sim:error=429]]"}])
        except openai.RateLimitError as error:
            return error.body["code"]


class Responses:
    def whole(self, model):
        answer = of_openai.responses.create(model=model, instructions="Be brief.", input=QUESTION)
        return answer.output_text, answer.usage.input_tokens, answer.usage.output_tokens

    def stream(self, model):
        with of_openai.responses.stream(model=model, instructions="Be brief.", input=QUESTION) as stream:
            answer = stream.get_final_response()
        return answer.output_text, answer.usage.input_tokens, answer.usage.output_tokens

    def tool(self, model):
        tools = [{"type": "function", "name": "weather", "parameters": SCHEMA}]
        question = {"role": "user", "content": "Berlin?"}
        answer = of_openai.responses.create(model=model, tools=tools, tool_choice="required", input=[question])
        call = [item for item in answer.output if item.type == "function_call"][0]
        back = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        after = of_openai.responses.create(
            model=model, tools=tools, input=[question, call.model_dump(exclude_none=True), back])
        assert after.output
        return answer.status == "completed", call.name, json.loads(call.arguments)

    def short(self, model):
        answer = of_openai.responses.create(model=model, max_output_tokens=3, input=QUESTION)
        return answer.incomplete_details.reason == "max_output_tokens"

    def fails(self, model):
        try:
            of_openai.responses.create(model=model, input="[[sim:error=429]]")
        except openai.RateLimitError as error:
            return error.body["code"]


class Anthropic:
    def whole(self, model):
        answer = of_anthropic.messages.create(
            model=model, max_tokens=100, system="Be brief.", messages=[{"role": "user", "content": QUESTION}])
        return answer.content[0].text, answer.usage.input_tokens, answer.usage.output_tokens

    def stream(self, model):
        with of_anthropic.messages.stream(
                model=model, max_tokens=100, system="Be brief.",
                messages=[{"role": "user", "content": QUESTION}]) as stream:
            answer = stream.get_final_message()
        return answer.content[0].text, answer.usage.input_tokens, answer.usage.output_tokens

    def tool(self, model):
        tools = [{"name": "weather", "input_schema": SCHEMA}]
        question = {"role": "user", "content": "Berlin?"}
        answer = of_anthropic.messages.create(
            model=model, max_tokens=100, tools=tools, tool_choice={"type": "any"}, messages=[question])
        use = [block for block in answer.content if block.type == "tool_use"][0]
        back = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}]}
        after = of_anthropic.messages.create(
            model=model, max_tokens=100, tools=tools,
            messages=[question, {"role": "assistant", "content": answer.content}, back])
        assert after.content
        return answer.stop_reason == "tool_use", use.name, use.input

    def short(self, model):
        answer = of_anthropic.messages.create(
            model=model, max_tokens=3, messages=[{"role": "user", "content": QUESTION}])
        return answer.stop_reason == "max_tokens"

    def fails(self, model):
        try:
            of_anthropic.messages.create(
                model=model, max_tokens=100, messages=[{"role": "user", "content": "[[sim:error=429]]"}])
        except anthropic.RateLimitError as error:
            return error.body["error"]["chancery"]["code"]


class Gemini:
    def whole(self, model):
        answer = of_gemini.models.generate_content(
            model=model, contents=QUESTION, config=types.GenerateContentConfig(system_instruction="Be brief."))
        used = answer.usage_metadata
        return answer.text, used.prompt_token_count, used.candidates_token_count

    def stream(self, model):
        chunks = list(of_gemini.models.generate_content_stream(
            model=model, contents=QUESTION, config=types.GenerateContentConfig(system_instruction="Be brief.")))
        used = chunks[-1].usage_metadata
        return "".join(c.text or "" for c in chunks), used.prompt_token_count, used.candidates_token_count

    def tool(self, model):
        tool = types.Tool(function_declarations=[
            types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)])
        must = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
        answer = of_gemini.models.generate_content(
            model=model, contents="Berlin?", config=types.GenerateContentConfig(tools=[tool], tool_config=must))
        call = answer.function_calls[0]
        back = types.Part.from_function_response(name="weather", response={"result": "sunny"})
        after = of_gemini.models.generate_content(
            model=model, config=types.GenerateContentConfig(tools=[tool]), contents=[
                types.Content(role="user", parts=[types.Part(text="Berlin?")]),
                answer.candidates[0].content,
                types.Content(role="user", parts=[back])])
        assert after.candidates
        return True, call.name, call.args

    def short(self, model):
        answer = of_gemini.models.generate_content(
            model=model, contents=QUESTION, config=types.GenerateContentConfig(max_output_tokens=3))
        return answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS

    def fails(self, model):
        try:
            of_gemini.models.generate_content(model=model, contents="[[sim:error=429]]")
        except genai.errors.ClientError as error:
            return error.details["error"]["chancery"]["code"]


told = {}
for door in (OpenAI(), Responses(), Anthropic(), Gemini()):
    for model in MODELS:
        where = f"{type(door).__name__} {model}"
        whole, stream = door.whole(model), door.stream(model)
        assert whole[0] == "one two three four five six seven", (where, whole)
        assert whole == stream, (where, whole, stream)
        told[where] = whole
        called, name, arguments = door.tool(model)
        assert called and name == "weather" and "city" in arguments, (where, name, arguments)
        assert door.short(model), where
assert len(set(told.values())) == 1, told
same = set(told.values())


def routed(**more):
    raw = of_openai.chat.completions.with_raw_response.create(
        model="sim-via-both", messages=[{"role": "user", "content": QUESTION}], **more)
    left_out = raw.headers.get("x-chancery-left-out")
    return raw.headers["x-chancery-endpoint"], left_out, len(raw.parse().choices)


assert routed() == ("by-anthropic", None, 1), routed()
assert routed(seed=7) == ("by-anthropic", "seed", 1), routed(seed=7)
assert routed(n=2) == ("by-openai", None, 2), routed(n=2)

# An endpoint that asked to be left alone is left alone for as long, and every door says so in its own words.
for door in (OpenAI(), Responses(), Anthropic(), Gemini()):
    for model in MODELS:
        told = door.fails(model)
        assert told == "upstream_rate_limited", (type(door).__name__, model, told)
print("the same of all:", *same)
