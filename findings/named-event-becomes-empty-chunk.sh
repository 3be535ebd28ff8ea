#!/usr/bin/env bash
# Expected: a client of a stream skips events whose name it doesn't know, as browsers do; an event
# named "error" raises.
# Instead: openai 3.57.0 (Python) ignores the name. `event: citation` with {"passage":1} arrives
# as a ChatCompletionChunk whose choices are None, so the usual loop over chunk.choices fails.
# `event: error` with {"message":"busy"} arrives the same way; only a key "error" in the data
# raises.
# Why it matters: a server that is compatible with OpenAI's API and sends citations as named
# events breaks the most used client, though every browser copes.
# Frontdesk: /v1/chat/completions sends unnamed chunks with choices only; citations are fields in
# them, and an error in mid-stream is {"error": {...}}.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'openai==3.57.0'
"$work/venv/bin/python" - <<'PY'
import warnings

import openai
from httpx2 import Client, MockTransport, Response

warnings.simplefilter("ignore")
CHUNK = (
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    '"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
)


def stream(text):
    def answer(_request):
        return Response(200, headers={"content-type": "text/event-stream"}, content=text.encode())

    client = openai.OpenAI(
        api_key="k", base_url="http://127.0.0.1/v1", http_client=Client(transport=MockTransport(answer))
    )
    try:
        chunks = client.chat.completions.create(model="m", messages=[], stream=True)
        return [(type(part).__name__, part.choices and part.choices[0].delta.content) for part in chunks]
    except openai.APIError as error:
        return str(error)


print("openai", openai.__version__)
kind = "ChatCompletionChunk"
expected = {
    CHUNK: [(kind, "Hi")],
    'event: citation\ndata: {"passage":1}\n\n' + CHUNK: [(kind, None), (kind, "Hi")],
    'event: error\ndata: {"message":"busy"}\n\n': [(kind, None)],
    'data: {"error":{"message":"busy"}}\n\n': "busy",
}
for text, result in expected.items():
    seen = stream(text)
    print(repr(text[:40]), "->", seen)
    assert seen == result, seen
PY
echo "as described"
