#!/usr/bin/env bash
# Expected: CronTrigger.from_crontab reads a crontab line as cron does: "0 9 * * 1" is Monday, and
# "0 9 13 * 5" fires on the 13th and on every Friday.
# Instead: APScheduler 3.11.3 counts weekdays from Monday = 0, also in from_crontab, so 1 is
# Tuesday. And it wants both fields to hold (the 13th if it is a Saturday, because 5 is Saturday);
# cron and croniter 7.0.0 want either.
# Why it matters: schedules of opening hours, reports or hand-overs copied from a crontab run a
# day late. Names (mon, fri) mean the same everywhere.
# Frontdesk: opening hours name weekdays; no cron expressions in its configuration.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'APScheduler==3.11.3' 'croniter==7.0.0'
"$work/venv/bin/python" - <<'PY'
from datetime import datetime, timezone
from importlib.metadata import version

from apscheduler.triggers.cron import CronTrigger
from croniter import croniter

print("APScheduler", version("APScheduler"), "croniter", version("croniter"))
sunday = datetime(2026, 11, 29, tzinfo=timezone.utc)
expected = {
    "0 9 * * 1": ("Tue 2026-12-01", "Mon 2026-11-30"),
    "0 9 * * mon": ("Mon 2026-11-30", "Mon 2026-11-30"),
    "0 9 13 * 5": ("Sat 2027-02-13", "Fri 2026-12-04"),
}
for line, pair in expected.items():
    trigger = CronTrigger.from_crontab(line, timezone="UTC")
    seen = (
        trigger.get_next_fire_time(None, sunday).strftime("%a %F"),
        croniter(line, sunday).get_next(datetime).strftime("%a %F"),
    )
    print(line, "APScheduler:", seen[0], "croniter:", seen[1])
    assert seen == pair, seen
PY
echo "as described"
