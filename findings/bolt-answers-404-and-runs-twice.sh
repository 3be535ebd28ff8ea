#!/usr/bin/env bash
# Expected: Bolt, Slack's own framework, handles an event once although Slack delivers it again,
# and acknowledges events that nobody listens for.
# Instead: slack-bolt 1.30.0 calls the listener for every delivery; X-Slack-Retry-Num and event_id
# aren't looked at. An event without a listener is answered 404, which Slack counts as a failed
# delivery and repeats.
# Why it matters: a slow answer is given twice to the customer. And an app that subscribed to one
# event too many collects failures until Slack turns its subscription off.
# Frontdesk: keeps the channel and time of each message, so one message under two deliveries (or
# two event ids) is one (channels/slack.rs), and answers 200 to every signed event.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'slack-bolt==1.30.0' 'slack-sdk==3.48.0'
"$work/venv/bin/python" - <<'PY'
import json
import logging
import time
from importlib.metadata import version

from slack_bolt import App, BoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier

print("slack-bolt", version("slack-bolt"))
logging.disable(logging.CRITICAL)


def authorize(**_):
    return AuthorizeResult(
        enterprise_id=None, team_id="T1", bot_user_id="UB", bot_id="B1", bot_token="xoxb-1"
    )


app = App(signing_secret="s", authorize=authorize, process_before_response=True)
handled = []
app.event("message")(lambda event: handled.append(event["text"]))


def deliver(event, event_id, retry=None):
    body = json.dumps({"type": "event_callback", "team_id": "T1", "event_id": event_id, "event": event})
    stamp = str(int(time.time()))
    headers = {
        "content-type": ["application/json"],
        "x-slack-request-timestamp": [stamp],
        "x-slack-signature": [SignatureVerifier("s").generate_signature(timestamp=stamp, body=body)],
    }
    if retry:
        headers["x-slack-retry-num"] = [retry]
    return app.dispatch(BoltRequest(body=body, headers=headers)).status


message = {"type": "message", "channel": "C1", "user": "U1", "text": "where is my order", "ts": "1.1"}
statuses = [deliver(message, "Ev1"), deliver(message, "Ev1", retry="1")]
print("one event delivered twice:", statuses, handled)
assert statuses == [200, 200] and len(handled) == 2
status = deliver({"type": "reaction_added", "user": "U1", "reaction": "eyes", "item": {}}, "Ev2")
print("an event without listener:", status)
assert status == 404
PY
echo "as described"
