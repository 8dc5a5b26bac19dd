#!/usr/bin/env bash
# install-docs.sh FOLDER: installs MkDocs and Harper, in the versions of this project, below FOLDER.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
folder=$1

python3 -m venv "$folder/docs"
"$folder/docs/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
    --requirement "$here/requirements-docs.txt"
