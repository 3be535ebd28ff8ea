#!/usr/bin/env bash
# Expected: two libraries that say how long ago something was agree within a word, since both
# round.
# Instead: humanize 4.17.0 (Python) cuts: 47 hours are "a day". dayjs 1.11.23 rounds with
# thresholds of its own: 22 hours are "a day ago" already and 36 hours "2 days ago"; 89 minutes
# are "an hour ago".
# Why it matters: server and browser tell one customer two different ages of the same parcel
# event, and neither "a day ago" may be used for "within 24 hours".
# Frontdesk: an answer should give date and time, never an age that somebody else computes, too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'dayjs@1.11.23' >/dev/null
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet --disable-pip-version-check 'humanize==4.17.0'
cat > run.js <<'JS'
const dayjs = require("dayjs");
dayjs.extend(require("dayjs/plugin/relativeTime"));
const now = dayjs("2026-11-30T10:00:00Z");
for (const minutes of [89, 22 * 60, 35 * 60, 47 * 60])
  console.log(now.subtract(minutes, "minute").from(now).replace(" ago", ""));
JS
cat > run.py <<'PY'
from datetime import timedelta

from humanize import naturaldelta

for minutes in (89, 22 * 60, 35 * 60, 47 * 60):
    print(naturaldelta(timedelta(minutes=minutes)))
PY
printf '89 min\n22 h\n35 h\n47 h\n' > when.txt
paste -d '|' when.txt <(venv/bin/python run.py) <(node run.js) | tee both.txt
diff both.txt - <<'TXT'
89 min|an hour|an hour
22 h|22 hours|a day
35 h|a day|a day
47 h|a day|2 days
TXT
echo "as described"
