#!/usr/bin/env bash
# Expected: importing a client library sends nothing; requests begin with the first call, to the
# server that the call names.
# Instead: `import litellm` (1.110.2) asks raw.githubusercontent.com for a table of prices,
# whatever is asked of whom later. Where that is out of reach it logs warnings and tries again
# twice. LITELLM_LOCAL_MODEL_COST_MAP=True, set before, keeps it from that.
# Why it matters: a program that was to speak with a server on its own machine alone tells a third
# party that it runs, and one behind a closed firewall begins with warnings and retries.
# Frontdesk: asks nobody at run time; scripts/clients sets the variable.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet --disable-pip-version-check 'litellm==1.110.2'
cat > proxy.py <<'PY'
"""Counts what a program asks a proxy on loopback for; every request is refused."""
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

asked = []


class Refusing(BaseHTTPRequestHandler):
    def do_CONNECT(self):
        asked.append(self.path)
        self.send_error(403)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()
proxy = f"http://127.0.0.1:{server.server_port}"
PROGRAM = "import litellm"


def hosts(**more):
    asked.clear()
    environment = {**os.environ, "HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": "", **more}
    environment.pop("https_proxy", None)
    environment.pop("http_proxy", None)
    environment.pop("no_proxy", None)
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, stderr=subprocess.DEVNULL, timeout=300)
    return sorted(set(asked))


plain, told = hosts(), hosts(LITELLM_LOCAL_MODEL_COST_MAP="True")
print("asked for:", plain, "with LITELLM_LOCAL_MODEL_COST_MAP:", told)
assert plain == ["raw.githubusercontent.com:443"] and told == [], (plain, told)
PY
venv/bin/python proxy.py
echo "as described"
