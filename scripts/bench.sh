#!/usr/bin/env bash
# Compiles the benchmarks and runs one: npm run bench -- training-step [its options]. Without a name it lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then
  for file in bench/*.ts; do basename "$file" .ts; done
  exit 0
fi
npx tsc -p tsconfig.json --noEmit false --rootDir . --outDir node_modules/.cache/bench
name="$1"
shift
exec node "node_modules/.cache/bench/bench/$name.js" "$@"
