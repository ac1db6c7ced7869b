# Sourced by up and down: what both know, and how a process is started so that it can be found again.
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
STATE=${CONFORMANCE_SERVICES_STATE:-/var/lib/conformance-services}
SWIFT_PORT=8080 ACCOUNT_PORT=16202 CONTAINER_PORT=16201 OBJECT_PORT=16200 OCTAVIA_PORT=9876 DB_PORT=13316

die() { echo "FAILED: $*" >&2; exit 1; }

started() { awk '{print $22}' "/proc/$1/stat" 2>/dev/null; }

spawn() { # NAME USER CMD...: detached; its pid and start time in run/NAME, so that no other process of that pid is ever meant
  local name=$1 user=$2; shift 2
  ( cd /; exec setsid --fork sh -c 'echo $$ > "$0"; exec "$@"' "$STATE/run/$name.pid" \
      setpriv --reuid "$user" --regid "$user" --init-groups -- env HOME=/tmp "$@" ) >>"$STATE/log/$name.log" 2>&1 </dev/null
  for _ in $(seq 50); do [ -s "$STATE/run/$name.pid" ] && break; sleep 0.1; done
  local pid; pid=$(cat "$STATE/run/$name.pid")
  echo "$pid $(started "$pid")" > "$STATE/run/$name"
  rm "$STATE/run/$name.pid"
}

reap() { # NAME: the process and what it has started
  local pid start
  read -r pid start < "$STATE/run/$1"
  rm -f "$STATE/run/$1"
  [ -n "$start" ] && [ "$(started "$pid")" = "$start" ] || return 0
  kill -TERM -- "-$pid" 2>/dev/null
  for _ in $(seq 100); do kill -0 -- "-$pid" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL -- "-$pid" 2>/dev/null
}

wait_port() { # PORT NAME
  for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
    sleep 0.2
  done
  tail -20 "$STATE/log/$2.log" >&2
  die "$2 does not listen on port $1"
}
