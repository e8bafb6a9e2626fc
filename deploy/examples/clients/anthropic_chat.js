// The official Anthropic SDK for Node against a data plane: ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY, as .chancery/dev.env sets them, are all
// it takes.
const Anthropic = require("@anthropic-ai/sdk");

const client = new Anthropic();
const of = (content) => ({ max_tokens: 200, messages: [{ role: "user", content }] });

(async () => {
  const answer = await client.messages.create({ model: "sim-gpt-4o", ...of("Tell ada@example.org that I said hello.") });
  console.log(answer.content[0].text);
  console.log(await client.messages.stream({ model: "default-chat", ...of("Count to three.") }).finalText());
})();
