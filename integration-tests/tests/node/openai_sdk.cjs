// OpenAI's own SDK for Node against the gateway: nothing is configured but the base URL and the key, by the SDK's own variables.
"use strict";
const assert = require("node:assert/strict");
const { OpenAI } = require("openai");

const MODEL = "sim-mistral-large";
const client = new OpenAI({ maxRetries: 0, timeout: 30000 });
let requests = 0;

function counted(call) {
  requests += 1;
  return call();
}

const ask = (content, more = {}, who = client) =>
  who.chat.completions.create({ model: MODEL, messages: [{ role: "user", content }], ...more });

async function chats() {
  const { data, response } = await counted(() => ask("hello").withResponse());
  const text = data.choices[0].message.content;
  assert.match(text, /you said hello$/);
  assert.equal(data.choices[0].finish_reason, "stop");
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
  assert.equal(response.headers.get("x-chancery-geo"), "eu");
  assert.ok(data._request_id);

  let streamed = "";
  let used = null;
  for await (const chunk of await counted(() =>
    ask("hello", { stream: true, stream_options: { include_usage: true } })
  )) {
    streamed += chunk.choices[0]?.delta.content ?? "";
    used = chunk.usage ?? used;
  }
  assert.equal(streamed, text);
  assert.deepEqual(used, data.usage);

  const events = counted(() => client.chat.completions.stream({ model: MODEL, messages: [{ role: "user", content: "hello" }] }));
  assert.equal(await events.finalContent(), text);
}

const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

async function tools() {
  // The SDK runs the tool itself and asks again: the call is answered in the conversation that it keeps.
  const ran = [];
  const runner = client.chat.completions.runTools({
    model: MODEL,
    messages: [{ role: "user", content: "Berlin?" }],
    tools: [{
      type: "function",
      function: { name: "weather", parameters: SCHEMA, parse: JSON.parse, function: (of) => (ran.push(of), "sunny") },
    }],
    tool_choice: { type: "function", function: { name: "weather" } },
  });
  runner.on("chatCompletion", () => (requests += 1));
  await runner.done();
  assert.equal(ran.length, 1);
  assert.equal(typeof ran[0].city, "string");

  const formed = await counted(() =>
    ask("Berlin?", { response_format: { type: "json_schema", json_schema: { name: "place", schema: SCHEMA } } }));
  assert.ok("city" in JSON.parse(formed.choices[0].message.content));
}

async function pictures_and_vectors() {
  const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";
  const seen = await counted(() => ask(
    [{ type: "text", text: "what is it?" }, { type: "image_url", image_url: { url: pixel } }], { model: "sim-gpt-4o" }));
  assert.ok(seen.choices[0].message.content);

  // The SDK asks for base64 where it is not told otherwise, and reads it.
  const model = "sim-embed-small";
  const packed = await counted(() => client.embeddings.create({ model, input: ["one", "two"] }));
  const floats = await counted(() => client.embeddings.create({ model, input: ["one", "two"], encoding_format: "float" }));
  assert.deepEqual(packed.data.map((vector) => vector.embedding.length), [1536, 1536]);
  packed.data[0].embedding.forEach((value, at) => assert.ok(Math.abs(value - floats.data[0].embedding[at]) < 1e-6));
}

async function responses() {
  const whole = await counted(() => client.responses.create({ model: MODEL, instructions: "Be brief.", input: "hello" }));
  assert.match(whole.output_text, /you said hello$/);
  assert.equal(whole.status, "completed");
  const kinds = [];
  let text = "";
  const stream = await counted(() =>
    client.responses.create({ model: MODEL, instructions: "Be brief.", input: "hello", stream: true }));
  for await (const event of stream) {
    assert.equal(event.sequence_number, kinds.length);
    kinds.push(event.type);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  assert.deepEqual(kinds.slice(0, 2), ["response.created", "response.in_progress"]);
  assert.equal(kinds.at(-1), "response.completed");
  assert.equal(text, whole.output_text);
  const events = counted(() => client.responses.stream({ model: MODEL, instructions: "Be brief.", input: "hello" }));
  assert.equal((await events.finalResponse()).output_text, whole.output_text);
}

async function models() {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  assert.ok(listed.includes("sim-gpt-4o"), listed);
  assert.equal((await client.models.retrieve("sim-gpt-4o")).id, "sim-gpt-4o");
}

async function refused(kind, code, call) {
  await assert.rejects(() => counted(call), (error) => {
    assert.ok(error instanceof kind, `${error.constructor.name} for ${code}`);
    assert.equal(error.code, code);
    return true;
  });
}

async function errors() {
  const nobody = new OpenAI({ apiKey: "chy_nobody_knows", maxRetries: 0 });
  await refused(OpenAI.AuthenticationError, "invalid_api_key", () => ask("hello", {}, nobody));
  await refused(OpenAI.NotFoundError, "model_not_found", () => ask("hello", { model: "no-such-model" }));
  await refused(OpenAI.PermissionDeniedError, "content_blocked", () => ask("about project-x"));
  await refused(OpenAI.BadRequestError, "invalid_request", () => ask("hello", { temperature: "hot" }));
  await refused(OpenAI.InternalServerError, "upstream_error", () => ask("[[sim:error=503]]"));
  const support = new OpenAI({ apiKey: process.env.OTHER_API_KEY, maxRetries: 0 });
  for (let n = 0; n < 5; n += 1) await counted(() => ask("hello", { model: "sim-gpt-4o-mini" }, support));
  await refused(OpenAI.RateLimitError, "rate_limit_exceeded", () => ask("hello", { model: "sim-gpt-4o-mini" }, support));

  // A stream that breaks off is an error, not a short answer.
  const cut = await counted(() => ask("[[sim:say=one two three four five six]][[sim:cut=2]]", { stream: true }));
  await assert.rejects(async () => { for await (const _ of cut); }, (error) => error.code === "upstream_error");

  // A caller that goes away in the middle has a stream that ends.
  const left = await counted(() => ask("[[sim:say=one two three four five six]]", { stream: true }));
  for await (const _ of left) break;
}

(async () => {
  await chats();
  await tools();
  await pictures_and_vectors();
  await responses();
  await models();
  await errors();
  console.log(`requests: ${requests}`);
})();
