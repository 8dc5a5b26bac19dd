#!/usr/bin/env python3
"""The requests of this action's steps: how many there are, and how many of them wait for another one.

A binary plays each step against a simulated GitHub of its own, which takes a fifth of a second for each
request. Everything else takes little time, so the time of a step divided by a fifth of a second is the
number of its rounds: requests that wait for the one before. The points are those of GitHub's limit for a
minute: one for a request that reads, five for one that writes. With a baseline both binaries take turns,
and brackets contain the ratio to it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from play import ROOT, TOKEN, GitHub, Step, as_variables

LATENCY = 0.2
MINUTE = timedelta(minutes=1)
WORKFLOW = """\
on:
  workflow_dispatch:
    inputs:
      release-ticket: { required: false }
      release-target: { required: false }
"""


@dataclass
class Rounds:
    """The requests of a step."""

    rounds: float
    requests: int
    points: int
    worst_minute: int
    seconds: float


class Play:
    """One binary in one world: a hub, and as many targets as a play needs."""

    def __init__(self, binary, github, targets):
        self.binary = binary
        self.github = github
        self.targets = targets

    def step(self, mode, repository, run, job, **inputs):
        """Runs a step of the action and returns its requests."""
        inputs = {"mode": mode, "token": TOKEN, "fail-on-error": "true", **inputs}
        step = Step(self.github, repository, run, job, **as_variables(inputs))
        before = len(self.github.exchanges())
        log = step.folder / "log"
        with log.open("w") as output:
            start = time.perf_counter()
            process = subprocess.run(
                [self.binary],
                env={**step.environment, **step.files(step.folder)},
                cwd=step.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
            seconds = time.perf_counter() - start
        if process.returncode != 0:
            raise SystemExit(f"{mode} of {self.binary} ends with {process.returncode}:\n{log.read_text()}")
        shutil.rmtree(step.folder)
        exchanges = self.github.exchanges()[before:]
        points = sum(map(points_of, exchanges))
        return Rounds(seconds / LATENCY, len(exchanges), points, worst_minute(exchanges), seconds)

    def dispatch(self):
        targets = ", ".join(self.targets)
        rounds = self.step("dispatch", "acme/hub", 1, "release", targets=targets, workflow="release.yml", ref="main")
        run_count = sum(len(self.github.runs(target)) for target in self.targets)
        expect(run_count == len(self.targets), f"{run_count} of {len(self.targets)} targets are started")
        return rounds

    def report(self, job):
        run = self.github.runs(self.targets[0])[0]["id"]
        inputs = {"ticket": "acme/hub#1", "status": "success", "message": f"Well done: {job}"}
        rounds = self.step("report", self.targets[0], run, job, **inputs)
        expect(inputs["message"] in self.github.ask("issues/acme/hub/1"), f"the ticket lacks the report of {job}")
        return rounds

    def notify(self, **ticket):
        run = self.github.runs(self.targets[0])[0]["id"]
        job = {"name": "build", "status": "completed", "conclusion": "failure"}
        self.github.ask(f"runs/{run}", {"jobs": [job]})
        rounds = self.step("notify", self.targets[0], run, "notify", status="failure", message="It broke", **ticket)
        issue = "acme/hub/1" if ticket else f"{self.targets[0]}/1"
        expect("It broke" in self.github.ask(f"issues/{issue}"), f"{issue} lacks the notice")
        return rounds


def expect(holds, otherwise):
    if not holds:
        raise SystemExit(f"error: {otherwise}")


def points_of(exchange):
    """GitHub's price of a request:
    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit
    """
    return 1 if exchange["method"] in ("GET", "HEAD", "OPTIONS") else 5


def worst_minute(exchanges):
    """The most points within any minute."""
    recent, points, worst = deque(), 0, 0
    for exchange in exchanges:
        at = datetime.fromisoformat(exchange["at"])
        recent.append((at, points_of(exchange)))
        points += recent[-1][1]
        while recent[0][0] <= at - MINUTE:
            points -= recent.popleft()[1]
        worst = max(worst, points)
    return worst


def play_reports(play):
    play.dispatch()
    yield "report, the first", play.report("build")
    yield "report of a later job", play.report("publish")


def play_notify(play):
    play.dispatch()
    yield "notify, with a ticket", play.notify(ticket="acme/hub#1")


def play_notify_alone(play):
    play.dispatch()
    yield "notify, without a ticket", play.notify()


def play_dispatch(play):
    count = len(play.targets)
    yield f"dispatch of {count} target{'s' if count > 1 else ''}", play.dispatch()


def world(folder, count):
    """A file with a hub and so many targets, and the names of the targets."""
    targets = [f"acme/target-{number}" for number in range(1, count + 1)]
    repositories = {"acme/hub": {"members": {"alice": "OWNER"}, "assignable": ["alice"]}}
    target = {"assignable": ["alice"], "files": {".github/workflows/release.yml": WORKFLOW}}
    repositories |= dict.fromkeys(targets, target)
    token = {"acts_as": "acme-release[bot]", "everything": True}
    file = folder / f"world-{count}.json"
    file.write_text(json.dumps({"repositories": repositories, "tokens": {TOKEN: token}}))
    return file, targets


def measure(binary, folder, script, count):
    """The rows of one play."""
    file, targets = world(folder, count)
    with GitHub(file, "--latency-ms", str(round(LATENCY * 1000))) as github:
        return list(script(Play(binary, github, targets)))


def cells(rounds, base):
    def cell(value, of_base, digits=0):
        ratio = f" ({value / of_base:.2f} ×)" if base else ""
        return f"{value:.{digits}f}{ratio}"

    base_or_self = base or rounds
    return [
        cell(rounds.rounds, base_or_self.rounds, 1),
        cell(rounds.requests, base_or_self.requests),
        cell(rounds.points, base_or_self.points),
        cell(rounds.worst_minute, base_or_self.worst_minute),
        f"{rounds.seconds:.1f} s",
    ]


def print_rows(binaries, folder, script, count):
    """Plays with each binary, and prints each row at once: a large dispatch takes minutes."""
    rows = {name: measure(binary, folder, script, count) for name, binary in binaries.items()}
    for steps in zip(*rows.values(), strict=True):
        base = steps[0][1] if len(steps) > 1 else None
        for name, (title, rounds) in zip(rows, steps, strict=True):
            title = f"{title}: {name}" if base else title
            print(f"| {title} |", " | ".join(cells(rounds, base)), "|", flush=True)


def build(commit):
    """Builds the binary of another commit for release, below target/rounds; a second call finds it there."""
    run = partial(subprocess.run, cwd=ROOT, check=True, text=True)
    commit = run(["git", "rev-parse", "--verify", f"{commit}^{{commit}}"], stdout=subprocess.PIPE).stdout.strip()
    folder = ROOT / "target/rounds"
    binary = folder / commit / "release-ticket-action"
    if binary.exists():
        return binary
    with tempfile.TemporaryDirectory(prefix="rounds-") as temporary:
        checkout = Path(temporary) / "baseline"
        run(["git", "worktree", "add", "--quiet", "--detach", checkout, commit])
        try:
            cargo = ["cargo", "build", "--quiet", "--release", "--locked", "--bin", binary.name]
            run(cargo, cwd=checkout, env={**os.environ, "CARGO_TARGET_DIR": str(folder / "build")})
        finally:
            run(["git", "worktree", "remove", "--force", checkout])
    binary.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "build/release" / binary.name, binary)
    return binary


def numbers(text):
    counts = [int(number) for number in text.split(",")]
    if min(counts) < 1:
        raise ValueError(text)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True, help="the action's binary")
    baseline = parser.add_mutually_exclusive_group()
    baseline.add_argument("--baseline", type=Path, help="another binary of the action, to compare with")
    baseline.add_argument("--baseline-commit", metavar="REF", help="the same, built from a commit, which takes minutes")
    parser.add_argument("--targets", type=numbers, default="1,20,100,300", help="how many a dispatch starts")
    arguments = parser.parse_args()

    binaries = {"this action": arguments.binary.resolve()}
    other = build(arguments.baseline_commit) if arguments.baseline_commit else arguments.baseline
    if other:
        binaries = {"baseline": other.resolve(), **binaries}

    start = time.perf_counter()
    print(f"Each request takes {LATENCY * 1000:.0f} ms.\n")
    print("| | rounds | requests | points | worst minute | time |")
    print("|---|--:|--:|--:|--:|--:|")
    scripts = [(play_reports, 1), (play_notify, 1), (play_notify_alone, 1)]
    scripts += [(play_dispatch, count) for count in arguments.targets]
    with tempfile.TemporaryDirectory(prefix="rounds-") as folder:
        for script, count in scripts:
            print_rows(binaries, Path(folder), script, count)
    print(f"\nPlayed in {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
