# shellcheck shell=bash
# Shared by the scripts in this directory: where things are, progress lines, small questions.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# scripts/test-up has a mesh of its own elsewhere.
state=${UPMESH_STATE:-$root/.upmesh}
# Debian keeps PostgreSQL's server programs off PATH.
for dir in /usr/lib/postgresql/*/bin; do [ -d "$dir" ] && PATH=$PATH:$dir; done

started_at=${UPMESH_STARTED_AT:-$(date +%s%N)}
export UPMESH_STARTED_AT=$started_at PATH

# say TEXT: one progress line with the seconds since the command began.
say() {
    local ms=$((($(date +%s%N) - started_at) / 1000000))
    printf '[%3d.%01d s] %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Kafka 4 needs Java 17; an older one counts as none.
has_java() {
    local major
    major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${major:-0}" -ge 17 ]
}

port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_ports START COUNT: the first of so many ports in a row that nobody listens on.
free_ports() {
    local port=$1 n=0
    while [ $n -lt "$2" ]; do
        if port_free $((port + n)); then n=$((n + 1)); else port=$((port + n + 1)) n=0; fi
    done
    echo "$port"
}

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# run_logged NAME COMMAND…: quiet when it works; when it fails, the end of its log.
run_logged() {
    local name=$1 log=$state/log/$1.log
    shift
    mkdir -p "$state/log"
    if ! "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        die "$name failed; all of it is in $log"
    fi
}

# load_env FILE: exports its NAME=VALUE lines, except those the caller has set already.
load_env() {
    local line name
    [ -f "$1" ] || return 0
    while IFS= read -r line; do
        name=${line%%=*}
        [ -n "${!name:-}" ] || export "$name=${line#*=}"
    done < <(grep -E '^[A-Z][A-Z0-9_]*=' "$1" || true)
}

# build_with_progress CARGO…: cargo's own bar on a terminal; elsewhere a line every ten seconds, and the end of the log when it fails.
build_with_progress() {
    if [ -t 2 ]; then
        "$@"
        return
    fi
    local log=$state/log/build.log ticker code=0 builder=$BASHPID
    # It ends with the build, also when that is interrupted: what runs in the background does not hear Ctrl-C.
    (while sleep 10 && kill -0 "$builder" 2>/dev/null; do say "building: $(grep -c Compiling "$log" || true) crates so far"; done) &
    ticker=$!
    "$@" >"$log" 2>&1 || code=$?
    kill "$ticker" 2>/dev/null || true
    [ $code = 0 ] || tail -n 40 "$log" >&2
    return $code
}
