#!/usr/bin/env bash
# Expected: a chat completion is a ChatCompletion or an exception.
# Instead: openai 3.57.0 (Python) returns a str when a 200 answer isn't JSON by its Content-Type,
# for example the login page of a proxy, and a ChatCompletion with choices None for any JSON
# object. No exception, in spite of the type annotations.
# Why it matters: the failure shows up far away, as "'str' object has no attribute 'choices'" or
# "'NoneType' object is not subscriptable", and never counts as a failed call, so nothing falls
# back.
# Frontdesk: an answer of a remote engine that isn't a completion is an error that names the
# address (llm/remote.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'openai==3.57.0'
"$work/venv/bin/python" - <<'PY'
import openai
from httpx2 import Client, MockTransport, Response


def ask(kind, text):
    def answer(_request):
        return Response(200, headers={"content-type": kind}, content=text.encode())

    client = openai.OpenAI(
        api_key="k", base_url="http://127.0.0.1/v1", http_client=Client(transport=MockTransport(answer))
    )
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])


print("openai", openai.__version__)
page = ask("text/html", "<html>Please log in</html>")
print("a page:", type(page).__name__, page)
assert page == "<html>Please log in</html>"
other = ask("application/json", '{"detail":"moved"}')
print("another object:", other)
assert type(other).__name__ == "ChatCompletion" and other.choices is None and other.detail == "moved"
PY
echo "as described"
