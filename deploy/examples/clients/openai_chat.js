// The official OpenAI SDK for Node against a data plane: OPENAI_BASE_URL and OPENAI_API_KEY, as .chancery/dev.env sets them, are all it takes.
const { OpenAI } = require("openai");

const client = new OpenAI();

(async () => {
  const answer = await client.chat.completions.create({
    model: "sim-gpt-4o",
    messages: [{ role: "user", content: "Tell ada@example.org that I said hello." }],
  });
  console.log(answer.choices[0].message.content);

  const stream = await client.chat.completions.create({
    model: "default-chat",
    messages: [{ role: "user", content: "Count to three." }],
    stream: true,
  });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  console.log(text);
})();
