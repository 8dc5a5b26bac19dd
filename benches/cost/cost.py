#!/usr/bin/env python3
"""The cost of a release: the steps of the proof of concept beside those of this action, measured in one run.

A play is the release of one target: the hub starts the target, and the target reports three times. Each
play has a simulated GitHub of its own, and each step is a process of its own, as on a runner. Plays take
turns, so that a busy moment of the machine hits all of them. The table shows medians, and in brackets the
ratio to the proof of concept.
"""

import argparse
import gzip
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import play
from play import ROOT, TOKEN, GitHub, as_variables

NODE = shutil.which("node")
TIME = shutil.which("time")  # GNU's, which knows the peak memory of a process
DOCKER = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else shutil.which("docker")
INPUTS = 'reportTo: "{{ hub.name }}"\nreleaseTicketNumber: "{{ ticket.number }}"\ndraftRelease: "true"'
# The target's jobs, with their status and message in the proof of concept.
REPORTS = {
    "launched": ("in_progress", "Pipeline launched"),
    "build": ("success", "Build and tests passed"),
    "publish": ("success", "Release published"),
}


@dataclass
class Cost:
    """The cost of some steps."""

    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    steps: int = 0
    requests: int = 0
    hub_runs: int = 0


class Step(play.Step):
    """A step with a measurement of its cost."""

    def process(self, *command):
        return self.measure_process(command, {**self.environment, **self.files(self.folder)})

    def container(self, image):
        """Starts a container like the runner; .ci/container.sh has all options."""
        command = [DOCKER, "run", "--rm", "--network", "host", "--volume", f"{self.folder}:/github/workflow"]
        for name, value in {**self.environment, **self.files("/github/workflow")}.items():
            command += ["--env", f"{name}={value}"]
        return self.measure_process([*command, image], {"HOME": str(self.folder), "PATH": os.environ["PATH"]})

    def measure_process(self, command, environment):
        log, peak = self.folder / "log", self.folder / "peak"
        with log.open("w") as output:
            start = time.perf_counter()
            step = subprocess.Popen(
                [TIME, "--format", "%M", "--output", peak, *command],
                env=environment,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(step.pid, 0)
            wall = time.perf_counter() - start
        step.returncode = os.waitstatus_to_exitcode(status)
        if step.returncode != 0:
            raise SystemExit(f"{command[0]} ends with {step.returncode}:\n{log.read_text()}")
        cost = Cost(wall, usage.ru_utime + usage.ru_stime, int(peak.read_text()) * 1024, steps=1)
        shutil.rmtree(self.folder)
        return cost


class ProofOfConcept:
    """Steps with github-script. Each report starts a run of the hub, which writes the comment."""

    def __init__(self, bundle):
        self.bundle = bundle

    def step(self, github, repository, job, script, **variables):
        text = (HERE / "proof-of-concept" / f"{script}.js").read_text()
        inputs = {"INPUT_GITHUB-TOKEN": TOKEN, "INPUT_SCRIPT": text}
        # The inputs that the action.yml of github-script adds.
        inputs |= {"INPUT_DEBUG": "false", "INPUT_RETRIES": "0", "INPUT_RESULT-ENCODING": "json"}
        return Step(github, repository, 1, job, **inputs, **variables).process(NODE, self.bundle)

    def start(self, github):
        yield self.step(github, "acme/hub", "release", "create-ticket", TARGET="web")
        yield self.step(github, "acme/hub", "release", "dispatch", TARGET="web", TICKET="1")
        yield self.step(github, "acme/hub", "release", "comment", TICKET="1", MESSAGE="Event was emitted")

    def report(self, github, job):
        _, message = REPORTS[job]
        variables = {"TICKET": "1", "MESSAGE": message}
        yield self.step(github, "acme/web", job, "report", REPORT_TO="hub", **variables)
        yield self.step(github, "acme/hub", "update", "comment", **variables)


class Action:
    """This action, started by `start`: a function from a step to its cost."""

    def __init__(self, start):
        self.run = start

    def step(self, github, repository, run, job, inputs):
        inputs = {"token": TOKEN, **inputs}
        return self.run(Step(github, repository, run, job, **as_variables(inputs)))

    def start(self, github):
        inputs = {"mode": "dispatch", "targets": "web", "workflow": "main.yml", "ref": "main", "inputs": INPUTS}
        yield self.step(github, "acme/hub", 1, "release", {**inputs, "driver": "alice"})

    def report(self, github, job):
        status, message = REPORTS[job]
        run = github.runs("acme/web")[0]["id"]
        inputs = {"mode": "report", "repository": "hub", "ticket": "1", "fail-on-error": "true"}
        report = {"stage": job, "status": status, "message": message, "done": str(job == "publish").lower()}
        yield self.step(github, "acme/web", run, job, {**inputs, **report})


def measure(github, steps):
    """The cost of steps one after the other."""
    requests, hub_runs = len(github.exchanges()), len(github.runs("acme/hub"))
    cost = Cost()
    for step in steps:
        cost.wall += step.wall
        cost.cpu += step.cpu
        cost.peak = max(cost.peak, step.peak)
        cost.steps += step.steps
    cost.requests = len(github.exchanges()) - requests
    cost.hub_runs = len(github.runs("acme/hub")) - hub_runs
    return cost


def play_release(variant):
    """Starts a target and reports three times; fails if a start or a report is missing."""
    with GitHub(HERE / "world.yml") as github:
        start = measure(github, variant.start(github))
        reports = measure(github, (step for job in REPORTS for step in variant.report(github, job)))
        start_count = len(github.runs("acme/web"))
        if start_count != 1:
            raise SystemExit(f"the target was started {start_count} times:\n{github.ask('story')}")
        ticket = github.ask("issues/acme/hub/1")
        missing = [message for _, message in REPORTS.values() if message not in ticket]
        if missing:
            raise SystemExit(f"the ticket lacks {missing}:\n{ticket}")
        return start, reports


def print_table(plays):
    print("| | steps | wall | CPU | peak memory | requests | hub runs |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for part, title in enumerate(["start a target", "three reports of it"]):
        costs = {name: median([play[part] for play in plays]) for name, plays in plays.items()}
        base = costs["proof of concept"]
        for name, cost in costs.items():
            print(f"| {title}: {name} |", " | ".join(cells(cost, base, name == "container")), "|")


def median(costs):
    return Cost(*(statistics.median(getattr(cost, field.name) for cost in costs) for field in fields(Cost)))


def cells(cost, base, in_container):
    """A row of the table. The engine's own cost for a container is not measurable."""
    unknown = "not measured" if in_container else None
    return [
        f"{cost.steps:.0f}",
        f"{cost.wall * 1e3:.0f} ms ({cost.wall / base.wall:.2f} ×)",
        unknown or f"{cost.cpu * 1e3:.0f} ms ({cost.cpu / base.cpu:.2f} ×)",
        unknown or f"{cost.peak / 1e6:.1f} MB ({cost.peak / base.peak:.2f} ×)",
        f"{cost.requests:.0f} ({cost.requests / base.requests:.1f} ×)",
        f"{cost.hub_runs:.0f}",
    ]


def install(folder):
    """Bundles the steps of the proof of concept in a folder, and returns the bundle."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ["package.json", "package-lock.json", "github-script.js"]:
        shutil.copy(HERE / name, folder)
    npm = ["npm", "--prefix", folder, "--loglevel", "error"]
    subprocess.run([*npm, "ci", "--no-audit", "--no-fund"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*npm, "run", "build"], check=True, stdout=subprocess.DEVNULL)
    return folder / "bundle" / "index.js"


def is_built(image):
    return (
        DOCKER and subprocess.run([DOCKER, "image", "inspect", image], check=False, capture_output=True).returncode == 0
    )


def bytes_of(path):
    content = path.read_bytes()
    return f"{len(content):,} ({len(gzip.compress(content)):,} compressed)"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True, help="the action's binary, built for release")
    parser.add_argument("--image", default="release-ticket-action:ci", help="the action's image, if it is built")
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--folder", type=Path, default=ROOT / "target/cost", help="where packages are installed")
    parser.add_argument("--github-script", type=Path, help="the dist/index.js of actions/github-script itself")
    arguments = parser.parse_args()
    if not TIME:
        raise SystemExit("error: GNU time is missing\nhelp: apt-get install time")

    bundle = (arguments.github_script or install(arguments.folder)).resolve()
    binary = arguments.binary.resolve()
    variants = {
        "proof of concept": ProofOfConcept(bundle),
        "this action": Action(lambda step: step.process(binary)),
    }
    if is_built(arguments.image):
        variants["container"] = Action(lambda step: step.container(arguments.image))
    else:
        print(f"Containers are left out: there is no Docker engine, or it has no image {arguments.image}.")

    for variant in variants.values():
        play_release(variant)  # Warms the caches.
    plays = {name: [] for name in variants}
    for _ in range(arguments.repetitions):
        for name, variant in variants.items():
            plays[name].append(play_release(variant))

    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"Medians of {arguments.repetitions} plays, Node {version}, {os.cpu_count()} cores.\n")
    print_table(plays)
    print(f"\nBytes: script {bytes_of(bundle)}, binary {bytes_of(binary)}.")


if __name__ == "__main__":
    main()
