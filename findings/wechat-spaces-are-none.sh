#!/usr/bin/env bash
# Expected: the content of a text message is the text that was sent, at least an empty string.
# Instead: wechatpy 1.8.18 reads the XML with xmltodict, which strips white space, CDATA or not. A
# message of spaces has the content None, so content.strip() fails, and indentation at the
# beginning of a pasted list is lost. In the other direction create_reply without content renders
# an empty string, not XML (WeChat takes that for "handled").
# Why it matters: the handler fails on a message that a customer can send by accident, and the
# platform delivers it twice more.
# Frontdesk: has no WeChat channel. Where XML is read (feeds), CDATA is kept as it stands.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'wechatpy==1.8.18' 'pycryptodome==4.4.0'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from wechatpy import create_reply, parse_message

print("wechatpy", version("wechatpy"))
XML = (
    "<xml><ToUserName><![CDATA[shop]]></ToUserName><FromUserName><![CDATA[ann]]></FromUserName>"
    "<CreateTime>1790000000</CreateTime><MsgType><![CDATA[text]]></MsgType>"
    "<Content><![CDATA[{}]]></Content><MsgId>24500000000000001</MsgId></xml>"
)
for text, content in {"   ": None, "": None, "  a\n  b ": "a\n  b"}.items():
    seen = parse_message(XML.format(text)).content
    print(repr(text), "->", repr(seen))
    assert seen == content, seen
assert create_reply("", None).render() == ""
PY
echo "as described"
