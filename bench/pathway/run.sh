#!/usr/bin/env bash
# Measures ragserver and Pathway one after the other with the same program, as
# clients of Pathway's REST contract, and appends lines of JSON to OUT.
#
#   bench/pathway/run.sh VENV [OUT]
#
# VENV is a Python environment with Pathway: ../shared/yardsticks/pathway/install.sh
# makes one (3 minutes, 2 GB). Takes some twenty minutes; leave the machine alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=$(realpath "${1:?usage: run.sh VENV [OUT]}")
out=$(realpath -m "${2:-pathway.jsonl}")
shared=$(realpath "${RAGSERVER_SHARED:-../shared}")
yard=$shared/yardsticks/pathway
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/ragserver" ./cmd/ragserver
(cd "$yard/loadgen" && go build -o "$work/loadgen" .)
python=$venv/bin/python

measure() { # LABEL PORT PHASES START [RESTART]
	"$python" "$yard/rag_measure.py" "http://127.0.0.1:$2" "$work/docs" "$shared/data/scifact/corpus.jsonl" \
		--loadgen "$work/loadgen" --sizes 1000,5000 --label "$1" --phases "$3" --out "$out" --start "$4" ${5:+--restart "$5"}
}
all=index,idle,fresh,load,answer,ingestload,restart,poll

measure ragserver 21903 $all \
	"rm -rf $work/data; exec $work/ragserver --listen 127.0.0.1:{port} --data $work/data {folder}" \
	"exec $work/ragserver --listen 127.0.0.1:{port} --data {state} {folder}"
pathway="exec $python $yard/rag_server.py {folder} {port}"
measure 'pathway, usearch, commits every 50 ms' 21904 $all \
	"$pathway --autocommit-ms 50" "$pathway --autocommit-ms 50 --persist persisting --pstorage {state}"
measure 'pathway, hybrid, commits every 50 ms' 21905 index,idle,fresh,load,ingestload \
	"$pathway --index hybrid --autocommit-ms 50"
measure 'pathway, usearch, its defaults' 21906 index,idle,fresh,load "$pathway"
