"""The official Google SDK against a data plane: GOOGLE_GEMINI_BASE_URL and GEMINI_API_KEY, as .chancery/dev.env sets them, are all it takes."""

from google import genai

client = genai.Client(vertexai=False)

answer = client.models.generate_content(model="sim-gpt-4o", contents="Tell ada@example.org that I said hello.")
print(answer.text)
used = answer.usage_metadata
print(used.prompt_token_count, "tokens in,", used.candidates_token_count, "tokens out")

print("".join(chunk.text or "" for chunk in client.models.generate_content_stream(
    model="default-chat", contents="Count to three.")))
