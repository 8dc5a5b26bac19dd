#!/usr/bin/env bash
# install-fuzz.sh FOLDER: installs cargo-fuzz, in the version of this project, below FOLDER.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
folder=$1

python3 -m venv "$folder/fuzzer"
"$folder/fuzzer/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
    --requirement "$here/requirements-fuzz.txt"
