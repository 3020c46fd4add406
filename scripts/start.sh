#!/bin/sh
# npm start: sets up what is missing, then runs `skbspan demo`. Arguments go to it (npm start -- --help).
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh start
PATH=$PWD/node_modules/.bin:$PATH
exec node src/cli/main.ts demo "$@"
