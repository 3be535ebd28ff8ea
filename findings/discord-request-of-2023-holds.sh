#!/usr/bin/env bash
# Expected: a platform's library that checks a webhook's signature and is given its timestamp looks
# at the timestamp, too, as Slack's does: what is older than five minutes is refused.
# Instead: both of Discord's libraries, discord-interactions for Python 0.4.0 and for Node 4.4.0,
# hold the timestamp for bytes that are signed along and nothing more. A request of 2023 holds, and
# so does one whose timestamp is "tomorrow". Discord's documentation names no age either.
# Why it matters: whoever got hold of one signed request, from a log or a proxy, can post it for
# ever: a command is carried out again, a button pressed again.
# Frontdesk: refuses a timestamp that is more than five minutes off or no number, and knows an
# interaction by its id (src/channels/signature.rs, src/channels/ledger.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'discord-interactions==0.4.0' 'pynacl==1.6.2' 'slack-sdk==3.48.0'
cd "$work"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund discord-interactions@4.4.0
"$work/venv/bin/python" - <<'PY'
import json
from importlib.metadata import version

from discord_interactions import verify_key
from nacl.signing import SigningKey
from slack_sdk.signature import SignatureVerifier

print("discord-interactions", version("discord-interactions"), "slack-sdk", version("slack-sdk"))
key = SigningKey.generate()
public, body = key.verify_key.encode().hex(), '{"type":1}'
requests = []
for timestamp in ("1700000000", "tomorrow"):
    signature = key.sign(f"{timestamp}{body}".encode()).signature.hex()
    requests.append({"timestamp": timestamp, "signature": signature, "body": body, "key": public})
seen = [verify_key(body.encode(), r["signature"], r["timestamp"], r["key"]) for r in requests]
print("Python", seen)
assert seen == [True, True], seen
assert not verify_key(b"{}", requests[0]["signature"], requests[0]["timestamp"], public)

slack = SignatureVerifier("secret")
signature = slack.generate_signature(timestamp="1700000000", body=body)
old = slack.is_valid(body=body, timestamp="1700000000", signature=signature)
print("Slack's, of 2023", old)
assert old is False, old
with open("requests.json", "w") as file:
    json.dump(requests, file)
PY
node - <<'JS'
const { verifyKey } = require("discord-interactions");
const requests = require("./requests.json");
(async () => {
  const version = require("discord-interactions/package.json").version;
  const seen = [];
  for (const r of requests) seen.push(await verifyKey(r.body, r.signature, r.timestamp, r.key));
  console.log("Node", version, seen);
  if (!seen.every((holds) => holds === true)) process.exit(1);
})();
JS
echo "as described"
