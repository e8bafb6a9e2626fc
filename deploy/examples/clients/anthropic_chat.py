"""The official Anthropic SDK against a data plane: ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY, as .chancery/dev.env sets them, are all it takes."""

from anthropic import Anthropic

client = Anthropic()

answer = client.messages.create(
    model="sim-gpt-4o",
    max_tokens=200,
    messages=[{"role": "user", "content": "Tell ada@example.org that I said hello."}],
)
print(answer.content[0].text)
print(answer.usage.input_tokens, "tokens in,", answer.usage.output_tokens, "tokens out")

with client.messages.stream(
    model="default-chat",
    max_tokens=200,
    messages=[{"role": "user", "content": "Count to three."}],
) as stream:
    print("".join(stream.text_stream))
