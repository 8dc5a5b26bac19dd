#!/usr/bin/env bash
# push-test.sh: tests that image.sh pushes the image of a build, and nothing else, to a registry on this machine.
#
# It needs Python, jq, skopeo and docker-registry.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
registry=

clean_up() {
    [[ -z $registry ]] || { kill "$registry" && wait "$registry"; } 2>/dev/null || true
    rm -rf "$scratch"
}
trap clean_up EXIT

fail() {
    printf 'error: %s\n' "$*" >&2
    tail --lines=20 "$scratch"/*.log >&2
    exit 1
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export HOME=$scratch IMAGE=127.0.0.1:$port/org/release-ticket-action VERSION=1.4.0

serve_registry() {
    cat >"$scratch/registry.yml" <<CONFIGURATION
version: 0.1
storage: { filesystem: { rootdirectory: $scratch/registry } }
http: { addr: "127.0.0.1:$port" }
CONFIGURATION
    docker-registry serve "$scratch/registry.yml" >"$scratch/registry.log" 2>&1 &
    registry=$!
    until ask / >/dev/null; do
        kill -0 "$registry" 2>/dev/null || fail 'the registry does not start'
        sleep 0.1
    done
    mkdir -p "$scratch/.config/containers"
    printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' "$port" \
        >"$scratch/.config/containers/registries.conf"
}

ask() {
    python3 - "http://127.0.0.1:$port/v2$1" 2>/dev/null <<'PYTHON'
import sys, urllib.request
accept = {"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}
sys.stdout.buffer.write(urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=accept)).read())
PYTHON
}

push() {
    "$here/image.sh" push "$@" >>"$scratch/push.log" 2>&1
}

serve_registry
digest=$(python3 "$here/archive.py" "$scratch/image.tar")

! push "$scratch/image.tar" "sha256:$(printf '0f%.0s' {1..32})" || fail 'another digest was pushed'
[[ -z $(ask /_catalog | jq --raw-output '.repositories[]') ]] || fail 'the registry has an image'
printf 'ok      an archive without that digest is refused\n'

push "$scratch/image.tar" "$digest" || fail 'the image was not pushed'
index=$(ask "/org/release-ticket-action/manifests/$digest")
[[ sha256:$(printf '%s' "$index" | sha256sum | cut --delimiter ' ' --fields 1) == "$digest" ]] ||
    fail 'the registry has another image'
for manifest in $(jq --raw-output '.manifests[].digest' <<<"$index"); do
    ask "/org/release-ticket-action/manifests/$manifest" >/dev/null || fail "$manifest was not pushed"
done
[[ $(jq '.manifests | length' <<<"$index") == 2 ]] || fail 'the provenance is missing'
printf 'ok      the image is pushed unchanged, with its provenance\n'

[[ -z $(ask /org/release-ticket-action/tags/list | jq --raw-output '.tags[]?') ]] || fail 'the image has a tag'
push "$scratch/image.tar" "$digest" || fail 'the second push failed'
printf 'ok      it has no tag, and a second push changes nothing\n'
