"""OpenAI's own SDK names a picture by its URL, for a vendor that takes it whole."""

import os

import openai

client = openai.OpenAI(max_retries=0, timeout=30)


def look(url):
    picture = {"type": "image_url", "image_url": {"url": url}}
    content = [{"type": "text", "text": "What is this?"}, picture]
    return client.chat.completions.create(model="sim-story", messages=[{"role": "user", "content": content}])


picture = os.environ["PICTURE"]
assert look(picture).choices[0].message.content == "A cat."
for wrong in (picture.replace("127.0.0.1", "169.254.169.254"), picture):
    try:
        look(wrong)
    except openai.BadRequestError as error:
        assert error.code == "unsupported" and error.param == "messages[0].content[1]", error
        assert "canary" not in str(error), error
        print(error.message)
    else:
        raise AssertionError(f"{wrong} was taken")
