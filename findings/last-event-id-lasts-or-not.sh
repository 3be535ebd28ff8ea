#!/usr/bin/env bash
# Expected: every client of Server-Sent Events has the same id for an event, since the standard
# says that an id holds until another one comes.
# Instead: after `id: 7` an event without an id has the id "7" with httpx-sse 0.4.3 (as in
# browsers), None with sseclient-py 1.9.0, and undefined with eventsource-parser 3.1.1.
# Why it matters: a client that stores the id of the last event to go on from there begins at the
# start again (None) if the server doesn't repeat the id with every event.
# Frontdesk: a client should go on by the seq in the data; a server does best to send an id with
# every event or with none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'eventsource-parser@3.1.1' >/dev/null
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet --disable-pip-version-check \
  'httpx==0.28.1' 'httpx-sse==0.4.3' 'sseclient-py==1.9.0'
cat > run.js <<'JS'
const assert = require("assert");
const { createParser } = require("eventsource-parser");
const seen = [];
createParser({ onEvent: (event) => seen.push([event.id, event.data]) }).feed("id: 7\ndata: a\n\ndata: b\n\n");
console.log("eventsource-parser 3.1.1:", seen);
assert.deepStrictEqual(seen, [["7", "a"], [undefined, "b"]]);
JS
node run.js
venv/bin/python - <<'PY'
import httpx
import httpx_sse
import sseclient

TEXT = b"id: 7\ndata: a\n\ndata: b\n\n"
one = [(event.id, event.data) for event in sseclient.SSEClient(iter([TEXT])).events()]
headers = {"content-type": "text/event-stream"}
transport = httpx.MockTransport(lambda request: httpx.Response(200, headers=headers, content=TEXT))
with httpx.Client(transport=transport) as client:
    with httpx_sse.connect_sse(client, "GET", "http://127.0.0.1/") as source:
        other = [(event.id, event.data) for event in source.iter_sse()]
print("sseclient-py 1.9.0:", one, "httpx-sse 0.4.3:", other)
assert one == [("7", "a"), (None, "b")], one
assert other == [("7", "a"), ("7", "b")], other
PY
echo "as described"
