#!/usr/bin/env bash
# Runs the tests on the Node versions that are supported besides the one at hand, which the npm package `node` brings.
set -euo pipefail
cd "$(dirname "$0")/.."
for version in ${NODE_VERSIONS:-22 24}; do
  folder="node_modules/.cache/node-$version"
  if [ ! -x "$folder/node_modules/node/bin/node" ]; then
    mkdir -p "$folder"
    echo '{ "private": true }' > "$folder/package.json"
    npm install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error "node@$version"
  fi
  node="$folder/node_modules/node/bin/node"
  echo "Node $("$node" --version)"
  PATH="$(cd "$(dirname "$node")" && pwd):$PATH" "$node" node_modules/vitest/vitest.mjs run
done
