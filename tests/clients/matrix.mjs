// Asks a running server through the JavaScript clients that people use: OpenAI's own and the AI SDK.
//
// Usage: node matrix.mjs BASE_URL KEY QUESTION   BASE_URL ends with /v1. Prints a line a client, and exits with 1 if one fails.

import assert from "node:assert/strict";

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateText, streamText } from "ai";
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
  const final = await client.responses.stream({ model, input: question }).finalResponse();
  assert.equal(final.output_text, whole);
  return whole;
}

async function sdk(provider) {
  const { text } = await generateText({ model: provider, prompt: question, maxRetries: 0 });
  let streamed = "";
  for await (const piece of streamText({ model: provider, prompt: question, maxRetries: 0 }).textStream) streamed += piece;
  assert.equal(streamed, text);
  return text;
}

// Its default is /v1/responses.
const aiSdk = () => sdk(createOpenAI({ baseURL, apiKey })(model));
const aiSdkCompatible = async () => {
  const provider = createOpenAICompatible({ name: "frontdesk", baseURL, apiKey });
  const { embedding } = await embed({ model: provider.textEmbeddingModel(model), value: question });
  assert.ok(embedding.length > 100);
  return sdk(provider(model));
};

let failed = false;
for (const client of [openai, aiSdk, aiSdkCompatible]) {
  try {
    console.log(`ok      ${client.name}: ${(await client()).replace(/\s+/g, " ").slice(0, 80)}`);
  } catch (error) {
    failed = true;
    console.log(`FAILED  ${client.name}: ${error}`);
  }
}
process.exit(failed ? 1 : 0);
