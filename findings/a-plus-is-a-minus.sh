#!/usr/bin/env bash
# Expected: thefuzz and RapidFuzz give the same scores, since the former calls the latter, and
# "A+" isn't the same as "A-".
# Instead: fuzz.WRatio("A+", "A-") and ("C++", "C#") are 100 with thefuzz 0.22.1, fuzzball 2.2.6
# even gives 100 for ratio; RapidFuzz 3.14.6 gives 50 and 60. The former throw away all that isn't
# a letter or digit first. RapidFuzz in turn has 0 for "tent" and "TENT", which thefuzz has at 100.
# Why it matters: energy classes, shoe widths and variants ("A+", "A-") match in full, and a move
# from one library to the other turns thresholds around without an error.
# Frontdesk: uses none of the three; a connector should compare article numbers and classes exactly,
# never by such a score.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'fuzzball@2.2.6' >/dev/null
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'thefuzz==0.22.1' 'rapidfuzz==3.14.6'
cat > run.py <<'PY'
from rapidfuzz import fuzz as rapid
from thefuzz import fuzz as the

for one, other in (("A+", "A-"), ("C++", "C#"), ("tent", "TENT")):
    print(one, other, round(rapid.WRatio(one, other)), the.WRatio(one, other), the.ratio(one, other))
PY
cat > run.js <<'JS'
const fuzz = require("fuzzball");
for (const [one, other] of [["A+", "A-"], ["C++", "C#"], ["tent", "TENT"]])
  console.log(fuzz.ratio(one, other));
JS
echo "pair, RapidFuzz WRatio, thefuzz WRatio, thefuzz ratio, fuzzball ratio"
paste -d ' ' <(venv/bin/python run.py) <(node run.js) | tee seen.txt
diff seen.txt - <<'TXT'
A+ A- 50 100 50 100
C++ C# 60 100 40 100
tent TENT 0 100 0 100
TXT
echo "as described"
