#!/usr/bin/env bash
# Expected: metrics that Prometheus reads are fine as OpenMetrics, too, once "# EOF" is added.
# Instead: in OpenMetrics the name of a counter is the name without _total. prometheus-client
# 0.26.0 refuses a counter that Prometheus' text format allows, with the words "Clashing name"
# although nothing clashes: `# TYPE turns counter` with `turns 5`, and `# TYPE turns_total
# counter` beside a gauge `turns` (both are the family "turns"). The reader of the older format
# takes both.
# Why it matters: newer collectors ask for OpenMetrics first. A server that only changes its
# Content-Type loses all metrics of the page, not just that one.
# Frontdesk: its metrics page is OpenMetrics, so counters there must end in _total and no gauge
# may have a counter's name without it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check 'prometheus-client==0.26.0'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

print("prometheus-client", version("prometheus-client"))


def read(reader, text):
    try:
        return [family.name for family in reader(text)]
    except ValueError as error:
        return str(error)


expected = {
    "# TYPE turns counter\nturns_total 5\n": (["turns", "turns_total"], ["turns"]),
    "# TYPE turns counter\nturns 5\n": (["turns"], "Clashing name: turns"),
    "# TYPE turns_total counter\nturns_total 5\n# TYPE turns gauge\nturns 2\n": (
        ["turns", "turns"],
        "Clashing name: turns_total",
    ),
}
for text, pair in expected.items():
    seen = (read(prometheus, text), read(openmetrics, text + "# EOF\n"))
    print(repr(text), "->", seen)
    assert seen == pair, seen
PY
echo "as described"
