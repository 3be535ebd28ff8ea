// Asks a running server through the JavaScript clients that people use: OpenAI's own and the AI
// SDK.
//
// Usage: node matrix.mjs BASE_URL KEY QUESTION   BASE_URL ends with /v1. Prints a line a client,
// and exits with 1 if one fails.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { createCohere } from "@ai-sdk/cohere";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, embedMany, generateText, jsonSchema, rerank, streamText, tool } from "ai";
import OpenAI from "openai";

const [baseURL, apiKey, question] = process.argv.slice(2);
const model = "frontdesk";

async function openai() {
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  const messages = [{ role: "user", content: question }];
  const whole = (await client.chat.completions.create({ model, messages })).choices[0].message.content;
  let streamed = "";
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
    streamed += chunk.choices[0]?.delta.content ?? "";
  }
  assert.equal(streamed, whole);
  const first = await client.responses.create({ model, input: question });
  assert.equal(first.output_text, whole);
  await client.responses.create({ model, input: "Thanks!", previous_response_id: first.id });
  const history = [{ role: "user", content: question }, ...first.output, { role: "user", content: question }];
  assert.ok((await client.responses.create({ model, input: history })).output_text);
  const final = await client.responses.stream({ model, input: question }).finalResponse();
  assert.equal(final.output_text, whole);
  const { data } = await client.embeddings.create({ model, input: [question, "another text"] });
  assert.ok(data.length === 2 && data[0].embedding.length === data[1].embedding.length && data[0].embedding.length > 100);
  return whole;
}

// The AI SDK only calls tools that the answer asks for.
const tools = {
  order_status: tool({
    description: "Tells where an order is.",
    inputSchema: jsonSchema({ type: "object", properties: { number: { type: "string" } } }),
    execute: () => assert.fail("frontdesk calls no tools of its clients"),
  }),
};

async function sdk(provider) {
  const { text } = await generateText({ model: provider, system: "Answer.", prompt: question, maxRetries: 0, tools });
  let streamed = "";
  for await (const piece of streamText({ model: provider, prompt: question, maxRetries: 0, tools }).textStream) streamed += piece;
  assert.equal(streamed, text);
  const messages = [{ role: "user", content: question }, { role: "assistant", content: text }, { role: "user", content: question }];
  assert.ok((await generateText({ model: provider, messages, maxRetries: 0 })).text);
  return text;
}

// Its default is /v1/responses.
async function aiSdk() {
  const provider = createOpenAI({ baseURL, apiKey });
  const { embeddings } = await embedMany({ model: provider.embedding(model), values: [question, "another text"] });
  assert.ok(embeddings.length === 2 && embeddings[0].length > 100);
  const text = await sdk(provider(model));
  assert.equal(await sdk(provider.chat(model)), text);
  return text;
}

async function aiSdkCompatible() {
  const provider = createOpenAICompatible({ name: "frontdesk", baseURL, apiKey });
  const { embedding } = await embed({ model: provider.textEmbeddingModel(model), value: question });
  assert.ok(embedding.length > 100);
  return sdk(provider(model));
}

// Its rerankers are those of makers whose API is of the same form.
async function aiSdkRerank() {
  const documents = ["Our stoves burn gas.", "The tent Tarn 2 weighs 1.9 kg.", "We are in Cork."];
  const provider = createCohere({ baseURL, apiKey });
  const { ranking } = await rerank({ model: provider.reranking(model), query: "How heavy is the tent?", documents, topN: 2, maxRetries: 0 });
  assert.ok(ranking.length === 2 && ranking[0].originalIndex === 1, JSON.stringify(ranking));
  return ranking[0].score.toFixed(3);
}

const packages = ["openai", "ai", "@ai-sdk/openai", "@ai-sdk/openai-compatible", "@ai-sdk/cohere"];
const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
console.log(packages.map((name) => `${name} ${version(name)}`).join(", "));
let failed = false;
for (const client of [openai, aiSdk, aiSdkCompatible, aiSdkRerank]) {
  try {
    console.log(`ok      ${client.name}: ${(await client()).replace(/\s+/g, " ").slice(0, 80)}`);
  } catch (error) {
    failed = true;
    console.log(`FAILED  ${client.name}: ${error}`);
  }
}
process.exit(failed ? 1 : 0);
