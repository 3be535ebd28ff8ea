#!/usr/bin/env bash
# Expected: "Order 20261130 123456" isn't a telephone number; a validator refuses it, at least for
# the word and for fourteen digits without area code.
# Instead: parse() of phonenumbers 9.0.43 and of libphonenumber-js 1.13.16 drop the word, and both
# call +4920261130123456 a valid German fixed line: 0202 is Wuppertal, and German numbers may have
# many digits. The search in text (PhoneNumberMatcher) finds nothing in the same string, but takes
# the article number in "Artikel 0815-4711".
# Why it matters: a form that checks "is it valid" accepts an order number as the number to call
# back, and somebody's telephone rings.
# Frontdesk: should take a number from a message only where it is asked for or named as one, and
# repeat it to the customer before it is used.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'libphonenumber-js@1.13.16' >/dev/null
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check 'phonenumbers==9.0.43'
cat > run.js <<'JS'
const { parsePhoneNumberFromString } = require("libphonenumber-js/max");
const number = parsePhoneNumberFromString("Order 20261130 123456", "DE");
console.log(number.number, number.isValid(), number.getType());
JS
cat > run.py <<'PY'
import phonenumbers

text = "Order 20261130 123456"
number = phonenumbers.parse(text, "DE")
fixed = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE
written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
print(written, phonenumbers.is_valid_number(number), fixed)
for text in (text, "Artikel 0815-4711"):
    matches = phonenumbers.PhoneNumberMatcher(text, "DE")
    print("found in", repr(text), [match.raw_string for match in matches])
PY
node run.js | tee js.txt
venv/bin/python run.py | tee py.txt
diff js.txt <(echo '+4920261130123456 true FIXED_LINE')
diff py.txt - <<'TXT'
+4920261130123456 True True
found in 'Order 20261130 123456' []
found in 'Artikel 0815-4711' ['0815-4711']
TXT
echo "as described"
