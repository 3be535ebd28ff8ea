"""Runs `cargo build` and tells on standard error where it is: which of how many crates, and about how long yet.

    progress.py [arguments for cargo build…]

The time left is guessed from how long the crates that are done took: those in HEAVY count for what they
cost on two cores when this was written, every other one for an average. A long crate moves no count, so
the line is drawn anew each second, or each half minute where it goes to a log. What cargo and the
compiler say is passed on as it is.
"""

import json
import subprocess
import sys
import threading
import time

# Seconds of one core, from `cargo build --timings`.
HEAVY = {
    "frontdesk": 100, "llama-cpp-sys-2": 230, "qdrant-edge": 480, "zbus": 40, "geo": 40, "parquet": 45,
    "forust-ml": 25, "qdrant-client": 30, "tokio": 25, "rustls": 20, "hyper": 15, "syn": 12, "regex-automata": 15,
    "clap_builder": 12, "pdf-extract": 15, "lopdf": 15, "bindgen": 20, "reqwest": 10, "ring": 10,
}
OTHER = 1.5


def fetch():
    """Downloads what isn't here yet; cargo shows how far it is, and says nothing where all is here."""
    told = subprocess.run(["rustc", "--version", "--verbose"], capture_output=True, text=True).stdout
    host = next((line.removeprefix("host: ") for line in told.splitlines() if line.startswith("host: ")), None)
    # Without a target, crates of every platform would come.
    here = ["--target", host] if host else []
    code = subprocess.run(["cargo", "fetch", "--locked", *here]).returncode
    if code:
        sys.exit(code)


def crates():
    """Names of the crates that this machine's build consists of, each version once."""
    tree = ["cargo", "tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]
    listed = subprocess.run(tree, capture_output=True, text=True)
    # A line ends in (*) where its crate was listed before.
    return {line.removesuffix(" (*)") for line in listed.stdout.splitlines() if line}


class Bar:
    def __init__(self, total, weight):
        self.total, self.weight, self.start = max(total, 1), max(weight, 1), time.monotonic()
        self.done, self.left, self.cost = 0, weight, 0.0
        self.live = sys.stderr.isatty()
        self.lock, self.over = threading.Lock(), threading.Event()
        threading.Thread(target=self.redraw, daemon=True).start()

    def add(self, name, fresh):
        weight = HEAVY.get(name, OTHER)
        with self.lock:
            self.done, self.left = self.done + 1, max(self.left - weight, 0)
            self.cost += 0 if fresh else weight

    def redraw(self):
        while not self.over.wait(1 if self.live else 30):
            with self.lock:
                self.draw(time.monotonic() - self.start)

    def draw(self, elapsed):
        # Until enough is done the guess would jump.
        rate = self.cost / elapsed if self.cost > 20 else None
        yet = f", about {span(self.left / rate)} left" if rate and self.left > 5 else ""
        text = f"compiling: {min(self.done, self.total)} of {self.total} crates, {span(elapsed)} so far{yet}"
        print(f"\r{text:<78}" if self.live else text, end="" if self.live else "\n", file=sys.stderr, flush=True)

    def close(self, built):
        self.over.set()
        with self.lock:
            if self.live:
                print(f"\r{'':<78}\r", end="", file=sys.stderr)
            if built:
                print(f"compiled in {span(time.monotonic() - self.start)}", file=sys.stderr, flush=True)


def span(seconds):
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def main():
    fetch()
    known = crates()
    names = [crate.split(" ")[0] for crate in known]
    bar = Bar(len(known), sum(HEAVY.get(name, OTHER) for name in names))
    command = ["cargo", "build", "--message-format", "json-render-diagnostics", "--quiet", *sys.argv[1:]]
    build = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    seen = set()
    for line in build.stdout:
        message = json.loads(line)
        # A crate has several artifacts: build script, library, binary. The last is the one that counts.
        target = message.get("target", {}).get("kind", [])
        if message.get("reason") == "compiler-artifact" and "custom-build" not in target:
            crate = message["package_id"]
            if crate not in seen:
                seen.add(crate)
                bar.add(message["target"]["name"].replace("_", "-"), message["fresh"])
    code = build.wait()
    bar.close(code == 0)
    sys.exit(code)


if __name__ == "__main__":
    main()
