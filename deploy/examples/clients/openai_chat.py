"""The official OpenAI SDK against a data plane: OPENAI_BASE_URL and OPENAI_API_KEY, as .chancery/dev.env sets them, are all it takes."""

from openai import OpenAI

client = OpenAI()

answer = client.chat.completions.create(
    model="sim-gpt-4o",
    messages=[{"role": "user", "content": "Tell ada@example.org that I said hello."}],
)
print(answer.choices[0].message.content)
print(answer.usage.prompt_tokens, "tokens in,", answer.usage.completion_tokens, "tokens out")

stream = client.chat.completions.create(
    model="default-chat",
    messages=[{"role": "user", "content": "Count to three."}],
    stream=True,
)
print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
