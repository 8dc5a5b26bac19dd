"""The few requests of GitHub's API that a release sends, on a Unix socket, for its tests.

    github.py SOCKET STATE

STATE is a file with the state as JSON, which this program reads before each request and writes after it: `runs`,
`environments` by name, and `releases`. `writes` counts the requests that change something. A file STATE.fault with
`N before` or `N after` makes the Nth write from now fail, before or after it takes effect. An unknown request ends the
program.
"""

import http.server
import json
import os
import re
import socketserver
import sys
import urllib.parse

SOCKET, STATE = sys.argv[1:]
REPOSITORY = "/repos/org/release-ticket-action"


class Refusal(Exception):
    """GitHub's answer with a status and a message to a request that it refuses."""


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.link = None
        with open(STATE) as file:
            self.state = json.load(file)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.fault() if self.command != "GET" else None
        try:
            if fault == "before":
                raise Refusal(502, "Server Error")
            status, reply = self.route(body)
            if fault == "after":
                raise Refusal(502, "Server Error")
        except Refusal as refusal:
            status, reply = refusal.args[0], {"message": refusal.args[1]}
        with open(STATE, "w") as file:
            json.dump(self.state, file, indent=2)
        reply = b"" if reply is None else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        if self.link:
            self.send_header("Link", self.link)
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST = do_PATCH = do_DELETE = answer

    def fault(self):
        self.state["writes"] += 1
        if not os.path.exists(STATE + ".fault"):
            return None
        with open(STATE + ".fault") as file:
            count, when = file.read().split()
        if int(count) > 1:
            with open(STATE + ".fault", "w") as file:
                file.write(f"{int(count) - 1} {when}")
            return None
        os.remove(STATE + ".fault")
        return when

    def route(self, body):
        path, _, query = self.path.partition("?")
        query = urllib.parse.parse_qs(query)
        host = self.headers["Host"].partition(":")[0]
        routes = {
            ("GET", "api.github.com", "/actions/workflows/ci.yml/runs"): self.runs,
            ("GET", "api.github.com", r"/environments/(\w+)"): self.environment,
            ("GET", "api.github.com", "/releases"): self.releases,
            ("POST", "api.github.com", "/releases"): self.create,
            ("PATCH", "api.github.com", r"/releases/(\d+)"): self.update,
            ("DELETE", "api.github.com", r"/releases/assets/(\d+)"): self.detach,
            ("POST", "uploads.github.com", r"/releases/(\d+)/assets"): self.attach,
        }
        for (command, at, pattern), handle in routes.items():
            match = re.fullmatch(REPOSITORY + pattern, path)
            if match and (command, at) == (self.command, host):
                return handle(*match.groups(), query=query, body=body)
        sys.exit(f"the simulation does not know {self.command} {host}{self.path}")

    def runs(self, query, body):
        runs = [
            run
            for run in self.state["runs"]
            if [run["head_sha"]] == query["head_sha"] and [run["head_branch"]] == query["branch"]
        ]
        return 200, {"total_count": len(runs), "workflow_runs": runs}

    def environment(self, name, query, body):
        if name not in self.state["environments"]:
            raise Refusal(404, "Not Found")
        rules = [{"type": rule} for rule in self.state["environments"][name]]
        return 200, {"name": name, "protection_rules": rules}

    # Newest first, one a page, so that a client that reads only one page fails.
    def releases(self, query, body):
        page = int(query.get("page", ["1"])[0])
        releases = self.state["releases"][::-1]
        if page < len(releases):
            following = f"https://api.github.com{REPOSITORY}/releases?per_page=100&page={page + 1}"
            self.link = f'<{following}>; rel="next"'
        return 200, releases[page - 1 : page]

    def create(self, query, body):
        fields = json.loads(body)
        if "target_commitish" in fields:
            raise Refusal(403, "Resource not accessible by integration")
        number = len(self.state["releases"]) + 1
        release = {
            "id": number,
            "html_url": f"https://github.com/org/release-ticket-action/releases/{number}",
            "upload_url": f"https://uploads.github.com{REPOSITORY}/releases/{number}/assets{{?name,label}}",
            "tag_name": fields["tag_name"],
            "name": fields["name"],
            "body": fields["body"],
            "draft": fields["draft"],
            "immutable": False,
            "make_latest": None,
            "assets": [],
        }
        self.state["releases"].append(release)
        return 201, release

    def update(self, number, query, body):
        release = self.release(number)
        if release["immutable"]:
            raise Refusal(422, "Release is immutable")
        release.update(json.loads(body))
        release["immutable"] = not release["draft"] and self.state["immutable"]
        return 200, release

    def attach(self, number, query, body):
        release = self.release(number)
        [name] = query["name"]
        if release["immutable"]:
            raise Refusal(422, "Cannot upload assets to an immutable release.")
        if any(asset["name"] == name for asset in release["assets"]):
            raise Refusal(422, "already_exists")
        asset = 10 * release["id"] + len(release["assets"])
        url = f"https://api.github.com{REPOSITORY}/releases/assets/{asset}"
        new_asset = {"id": asset, "url": url, "name": name, "state": "uploaded", "size": len(body)}
        release["assets"].append(new_asset)
        return 201, new_asset

    def detach(self, asset, query, body):
        for release in self.state["releases"]:
            others = [other for other in release["assets"] if other["id"] != int(asset)]
            if len(others) != len(release["assets"]):
                release["assets"] = others
                return 204, None
        raise Refusal(404, "Not Found")

    def release(self, number):
        return self.state["releases"][int(number) - 1]

    def log_message(self, *arguments):
        pass


class Server(socketserver.UnixStreamServer):
    def handle_error(self, request, client_address):
        # A client may leave after it has read the status. But a test must not go on with a broken simulation.
        if not isinstance(sys.exception(), ConnectionError):
            raise sys.exception()


Server(SOCKET, Handler).serve_forever()
