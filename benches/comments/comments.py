#!/usr/bin/env python3
"""The new comments of a release, and those of them that mention people, by the configuration of the release.

This plays a release of five targets, of two jobs each, against a simulated GitHub. GitHub mails a new comment to
everybody who follows the ticket, and an edit to nobody. With a baseline both binaries play each release.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "rounds")]
from play import TOKEN, GitHub, Step, as_variables
from rounds import build, expect, world

TARGETS = 5
JOBS = ("build", "publish")


class Release:
    """A release in a world of its own."""

    def __init__(self, binary, github, targets, folder):
        self.folder = folder
        self.binary = binary
        self.github = github
        self.targets = targets

    def start(self, mode, repository, run, job, **inputs):
        step = Step(self.github, repository, run, job, **as_variables({"mode": mode, "token": TOKEN, **inputs}))
        log = (step.folder / "log").open("w")
        # The steps of a job share a folder.
        temp = self.folder / f"{repository}-{run}-{job}".replace("/", "-")
        temp.mkdir(exist_ok=True)
        environment = {**step.environment, **step.files(step.folder), "RUNNER_TEMP": str(temp)}
        process = subprocess.Popen([self.binary], env=environment, stdout=log, stderr=subprocess.STDOUT)
        return step, process

    def end(self, step, process, code=0):
        process.wait()
        log = (step.folder / "log").read_text()
        expect(process.returncode == code, f"{self.binary} ends with {process.returncode}:\n{log}")
        shutil.rmtree(step.folder)

    def dispatch(self, **inputs):
        return self.start(
            "dispatch", "acme/hub", 1, "release", targets=", ".join(self.targets), workflow="release.yml", **inputs
        )

    def run_of(self, target):
        while not (runs := self.github.runs(target)):
            time.sleep(0.02)
        return runs[0]["id"]

    def report(self, target, job, **inputs):
        self.end(*self.start("report", target, self.run_of(target), job, ticket="acme/hub#1", **inputs))

    def reports(self, *, under_way, failing=None, **inputs):
        """The reports of all jobs; the last job of `failing` fails."""
        for target in self.targets:
            for job in JOBS:
                if under_way:
                    self.report(target, job, status="in_progress", **inputs)
                has_failed = target == failing and job == JOBS[-1]
                done = "true" if job == JOBS[-1] and not has_failed else "false"
                self.report(target, job, status="failure" if has_failed else "success", done=done, **inputs)

    def finish(self, failing=None):
        for target in self.targets:
            conclusion = "failure" if target == failing else "success"
            self.github.ask(f"runs/{self.run_of(target)}", {"status": "completed", "conclusion": conclusion})

    def comments(self):
        """New comments, those of them that mention somebody, and edits."""
        successes = [exchange for exchange in self.github.exchanges() if exchange["status"] in (200, 201)]
        of_comments = [exchange for exchange in successes if "/comments" in exchange["path"]]
        new = [exchange for exchange in of_comments if exchange["method"] == "POST"]
        texts = [exchange["request_body"]["body"].split("\n", 1)[-1] for exchange in new if exchange["request_body"]]
        mentioning = [text for text in texts if "@alice" in text]
        edits = [exchange for exchange in of_comments if exchange["method"] == "PATCH"]
        return len(new), len(mentioning), len(edits)


def reporting(release, **inputs):
    release.end(*release.dispatch())
    release.reports(**inputs)


def waiting(release, failing=None, reports=False, **inputs):
    step = release.dispatch(wait="true", **{"wait-interval": "100ms"}, **inputs)
    if reports:
        release.reports(under_way=True)
    release.finish(failing)
    release.end(*step, code=1 if failing else 0)


def plays(targets):
    last = targets[-1]
    return [
        ("targets report the end of each job", lambda play: reporting(play, under_way=False)),
        ("… and its beginning", lambda play: reporting(play, under_way=True)),
        ("… one job fails", lambda play: reporting(play, under_way=True, failing=last)),
        ("… `comment-mode: new`", lambda play: reporting(play, under_way=True, **{"comment-mode": "new"})),
        ("`wait: true`", waiting),
        ("… one run fails", lambda play: waiting(play, failing=last)),
        ("… `close-on-success`", lambda play: waiting(play, **{"close-on-success": "true"})),
        ("… and targets report", lambda play: waiting(play, reports=True)),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True, help="the action's binary")
    parser.add_argument("--baseline-commit", metavar="REF", help="another commit to compare with; builds it first")
    arguments = parser.parse_args()
    binaries = {"this action": arguments.binary.resolve()}
    if arguments.baseline_commit:
        binaries = {"baseline": build(arguments.baseline_commit).resolve(), **binaries}
    print("| | | new comments | of them mention the driver | edits |\n|---|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="comments-") as folder:
        file, targets = world(Path(folder), TARGETS)
        for title, play in plays(targets):
            for name, binary in binaries.items():
                with GitHub(file) as github, tempfile.TemporaryDirectory(prefix="jobs-") as jobs:
                    release = Release(binary, github, targets, Path(jobs))
                    play(release)
                    print(f"| {title} | {name} |", " | ".join(map(str, release.comments())), "|", flush=True)


if __name__ == "__main__":
    main()
