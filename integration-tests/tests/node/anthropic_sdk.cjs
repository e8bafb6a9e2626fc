// Anthropic's own SDK for Node against the gateway: nothing is configured but the base URL and the key, by the SDK's own variables.
"use strict";
const assert = require("node:assert/strict");
const Anthropic = require("@anthropic-ai/sdk");

const MODEL = "sim-mistral-large";
const client = new Anthropic({ maxRetries: 0, timeout: 30000 });
let requests = 0;

function counted(call) {
  requests += 1;
  return call();
}

const body = (content, more = {}) => ({ model: MODEL, max_tokens: 200, messages: [{ role: "user", content }], ...more });
const ask = (content, more = {}, who = client) => who.messages.create(body(content, more));
const words = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");

async function messages() {
  const whole = await counted(() => ask("hello"));
  assert.match(words(whole), /you said hello$/);
  assert.equal(whole.stop_reason, "end_turn");
  assert.ok(whole.usage.input_tokens > 0 && whole.usage.output_tokens > 0);
  assert.ok(whole._request_id);

  const kinds = [];
  for await (const event of await counted(() => ask("hello", { stream: true }))) kinds.push(event.type);
  assert.equal(kinds[0], "message_start");
  assert.equal(kinds.at(-1), "message_stop");
  const final = await counted(() => client.messages.stream(body("hello"))).finalMessage();
  assert.equal(words(final), words(whole));
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);

  const short = await counted(() => ask("[[sim:say=one two three four five six]]", { max_tokens: 3 }));
  assert.equal(short.stop_reason, "max_tokens");
}

async function tools() {
  const weather = {
    name: "weather", description: "tells the weather",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  };
  const called = await counted(() => ask("Berlin?", { tools: [weather], tool_choice: { type: "any" } }));
  const use = called.content.find((block) => block.type === "tool_use");
  assert.equal(use.name, "weather");
  const result = { role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: "sunny" }] };
  const turns = [{ role: "user", content: "Berlin?" }, { role: "assistant", content: called.content }, result];
  assert.ok((await counted(() => ask("", { tools: [weather], messages: turns }))).content.length > 0);
  const streamed = await counted(() =>
    client.messages.stream(body("Berlin?", { tools: [weather], tool_choice: { type: "tool", name: "weather" } }))
  ).finalMessage();
  assert.deepEqual(streamed.content.filter((block) => block.type === "tool_use").map((block) => block.name), ["weather"]);
  assert.equal(streamed.stop_reason, "tool_use");
}

async function the_rest() {
  const count = await client.messages.countTokens({ model: MODEL, messages: [{ role: "user", content: "hello there ".repeat(50) }] });
  assert.ok(count.input_tokens >= 50 && count.input_tokens <= 400, count.input_tokens);
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  assert.ok(listed.includes("sim-gpt-4o"), listed);
}

async function refused(kind, code, call) {
  await assert.rejects(() => counted(call), (error) => {
    assert.ok(error instanceof kind, `${error.constructor.name} for ${code}`);
    assert.equal(error.error.error.chancery.code, code);
    assert.ok(error.requestID);
    return true;
  });
}

async function errors() {
  const nobody = new Anthropic({ apiKey: "chy_nobody_knows", maxRetries: 0 });
  await refused(Anthropic.AuthenticationError, "invalid_api_key", () => ask("hello", {}, nobody));
  await refused(Anthropic.NotFoundError, "model_not_found", () => ask("hello", { model: "no-such-model" }));
  await refused(Anthropic.PermissionDeniedError, "content_blocked", () => ask("about project-x"));
  await refused(Anthropic.BadRequestError, "invalid_request", () => ask("", { messages: [] }));
  await refused(Anthropic.InternalServerError, "upstream_error", () => ask("[[sim:error=503]]"));
  const support = new Anthropic({ apiKey: process.env.OTHER_API_KEY, maxRetries: 0 });
  for (let n = 0; n < 5; n += 1) await counted(() => ask("hello", { model: "sim-gpt-4o-mini" }, support));
  await refused(Anthropic.RateLimitError, "rate_limit_exceeded", () => ask("hello", { model: "sim-gpt-4o-mini" }, support));

  const cut = await counted(() => ask("[[sim:say=one two three four five six]][[sim:cut=2]]", { stream: true }));
  await assert.rejects(async () => { for await (const _ of cut); }, (error) => error instanceof Anthropic.APIError);
}

(async () => {
  await messages();
  await tools();
  await the_rest();
  await errors();
  console.log(`requests: ${requests}`);
})();
