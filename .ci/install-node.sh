#!/usr/bin/env bash
# install-node.sh FOLDER: installs the npm packages that checks need, in the versions of this project, below FOLDER.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
folder=$1

mkdir -p "$folder/node"
cp "$here"/package*.json "$folder/node/"
npm ci --prefix "$folder/node" --loglevel error --no-audit --no-fund
