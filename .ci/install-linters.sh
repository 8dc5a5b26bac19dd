#!/usr/bin/env bash
# install-linters.sh FOLDER: installs the linters, in the versions of this project, below FOLDER.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
folder=$1

python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
    --requirement "$here/requirements.txt"
"$here/install-node.sh" "$folder"
