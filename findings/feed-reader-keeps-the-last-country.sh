#!/usr/bin/env bash
# Expected: a reader of RSS gives the fields of a Google Merchant feed; repeated ones as lists,
# nested ones below their parent.
# Instead: feedparser 6.0.14 flattens them and keeps one: of two g:additional_image_link the last,
# of two g:shipping the country of the last as a field of the product itself (g_country), and the
# prices of shipping nowhere.
# Why it matters: the product seems to be from, or for, one country, and the costs of shipping
# can't be told. feedparser is the first thing one reaches for with RSS.
# Frontdesk: reads feeds as XML with their nesting, one record per item.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check 'feedparser==6.0.14'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

import feedparser

print("feedparser", version("feedparser"))
FEED = """<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><item>
<g:id>A1</g:id><title>Tent</title><g:price>199.00 EUR</g:price>
<g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping>
<g:shipping><g:country>FR</g:country><g:price>9.90 EUR</g:price></g:shipping>
<g:additional_image_link>https://shop.example/1.jpg</g:additional_image_link>
<g:additional_image_link>https://shop.example/2.jpg</g:additional_image_link>
</item></channel></rss>"""
entry = feedparser.parse(FEED).entries[0]
seen = {name: value for name, value in entry.items() if name.startswith("g_")}
print(seen)
assert seen["g_country"] == "FR" and seen["g_price"] == "199.00 EUR"
assert seen["g_additional_image_link"] == "https://shop.example/2.jpg"
assert seen["g_shipping"] == "" and "9.90" not in str(entry) and "4.90" not in str(entry)
PY
echo "as described"
