#!/usr/bin/env bash
# Expected: two well-kept libraries have the same public holidays for the United States, the
# United Kingdom and Switzerland when no region is named.
# Instead: for 2026 holidays 0.109 has Juneteenth and workalendar 17.0.0 hasn't; workalendar has
# Easter Monday and the August bank holiday of the United Kingdom and Good Friday and Easter Monday
# of Switzerland, which holidays only has with a region (England, a canton).
# Why it matters: "we answer on the next working day" is another day by library, and by a parameter
# that nothing asks for. No error, no warning.
# Frontdesk: takes a shop's closed days from the configuration (closed_dates), not from a country.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'holidays==0.109' 'workalendar==17.0.0'
"$work/venv/bin/python" - <<'PY'
from datetime import date

import holidays
from workalendar.europe import Switzerland, UnitedKingdom
from workalendar.usa import UnitedStates

CASES = [
    ("US", UnitedStates, date(2026, 6, 19), True, False),
    ("GB", UnitedKingdom, date(2026, 4, 6), False, True),
    ("GB", UnitedKingdom, date(2026, 8, 31), False, True),
    ("CH", Switzerland, date(2026, 4, 3), False, True),
    ("CH", Switzerland, date(2026, 4, 6), False, True),
    ("US", UnitedStates, date(2026, 12, 25), True, True),
]
for country, calendar, day, one, other in CASES:
    seen = (day in holidays.country_holidays(country, years=2026), calendar().is_holiday(day))
    print(country, day, "holidays:", seen[0], "workalendar:", seen[1])
    assert seen == (one, other), seen
assert date(2026, 8, 31) in holidays.country_holidays("GB", subdiv="ENG", years=2026)
assert date(2026, 4, 3) in holidays.country_holidays("CH", subdiv="ZH", years=2026)
PY
echo "as described"
