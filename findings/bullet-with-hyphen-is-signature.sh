#!/usr/bin/env bash
# Expected: a parser of e-mail replies cuts off quoted text and the signature below "-- ".
# Instead: email-reply-parser 0.5.12 takes every line that begins with a hyphen and a letter for
# the start of a signature, when the text runs to the end of the mail. A list of two articles in
# the last paragraph is gone, with the thanks below it; "-20 degrees is what the label says" as
# well.
# Why it matters: customers list what they want to return. The bot sees "I want to return:" and
# asks which articles.
# Frontdesk: has no e-mail channel yet. One should take only "-- " with its space (RFC 3676) as
# the mark of a signature.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'email-reply-parser==0.5.12'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from email_reply_parser import EmailReplyParser

print("email-reply-parser", version("email-reply-parser"))
expected = {
    "Hi,\n\nI want to return:\n\n-blue tent\n-red stove\n\nThanks": "Hi,\n\nI want to return:",
    "I want to return:\n\n- blue tent\n- red stove": "I want to return:\n\n- blue tent\n- red stove",
    "Hi\n\n-20 degrees is what the label says.\n\nIs it true?": "Hi",
}
for mail, text in expected.items():
    seen = EmailReplyParser.parse_reply(mail)
    print(repr(mail), "->", repr(seen))
    assert seen == text, seen
PY
echo "as described"
