#!/usr/bin/env bash
# Expected: verify of a Standard Webhooks library says whether the signature is right. A body that
# isn't JSON is none of its business; if it refuses, it raises its verification error.
# Instead: standardwebhooks 1.1.0 parses the body after the check, so a rightly signed body that
# is empty or plain text raises json.JSONDecodeError, which no handler of WebhookVerificationError
# catches.
# Why it matters: the specification speaks of any payload. An endpoint that answers errors of the
# check with 400 answers such a delivery with 500, and the sender sends it again for days.
# Frontdesk: checks the signature over the raw bytes and parses afterwards, two errors with two
# codes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'standardwebhooks==1.1.0'
"$work/venv/bin/python" - <<'PY'
import base64
import json
from datetime import datetime, timezone
from importlib.metadata import version

from standardwebhooks import Webhook, WebhookVerificationError

print("standardwebhooks", version("standardwebhooks"))
webhook = Webhook("whsec_" + base64.b64encode(b"k" * 24).decode())
now = datetime.now(timezone.utc)


def verify(body, signed=None):
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("msg_1", now, body if signed is None else signed),
    }
    try:
        return webhook.verify(body, headers)
    except WebhookVerificationError:
        return "refused"
    except json.JSONDecodeError:
        return "JSONDecodeError"


seen = [verify('{"a":1}'), verify('{"a":1}', signed="other"), verify("plain text"), verify("")]
print(seen)
assert seen == [{"a": 1}, "refused", "JSONDecodeError", "JSONDecodeError"], seen
PY
echo "as described"
