"""The parts of a benchmark: a simulated GitHub, and the steps of a runner."""

import json
import subprocess
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "release-token"


class GitHub:
    """A simulated GitHub, of the world in a file."""

    def __init__(self, world, *options):
        self.serve = ["cargo", "run", "--quiet", "--locked", "--package", "simulated-github", "--", "serve"]
        self.serve += ["--world", world, *options]

    def __enter__(self):
        self.process = subprocess.Popen(self.serve, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise SystemExit(f"the simulated GitHub does not start: exit code {self.process.wait()}")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, path, body=None):
        """The text of a page below `/_simulation/`, or with a body the answer to the change."""
        data = None if body is None else json.dumps(body).encode()
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return direct.open(f"{self.url}/_simulation/{path}", data).read().decode()

    def exchanges(self):
        return json.loads(self.ask("exchanges"))

    def runs(self, repository):
        return [run for run in json.loads(self.ask("runs")) if run["repository"] == repository]


class Step:
    """A step of a job, with its folder of the runner."""

    def __init__(self, github, repository, run, job, **variables):
        self.folder = Path(tempfile.mkdtemp(prefix="step-"))
        (self.folder / "event.json").write_text('{"inputs": {}}')
        (self.folder / "output").touch()
        self.environment = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "alice",
            "GITHUB_API_URL": github.url,
            "GITHUB_JOB": job,
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REPOSITORY": repository,
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": str(run),
            "GITHUB_SERVER_URL": github.url,
            "GITHUB_WORKFLOW": "Release",
            **variables,
        }

    def files(self, folder):
        """The variables that name the step's files, for a process to which `folder` is the step's folder."""
        return {
            "GITHUB_EVENT_PATH": f"{folder}/event.json",
            "GITHUB_OUTPUT": f"{folder}/output",
            "GITHUB_STEP_SUMMARY": f"{folder}/summary",
            "RUNNER_TEMP": str(folder),
        }


def as_variables(inputs):
    """The variables by which a step gets its inputs."""
    return {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
