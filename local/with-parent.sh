#!/bin/sh
# Runs a program that must not outlive whoever started this: even kill -9 of the parent ends it.
#   with-parent.sh PROGRAM [ARGUMENT…]
# Where HOTSWAP_PID_FILE names a file, the program's process id is kept there.
parent=$PPID
self=$$
[ -z "$HOTSWAP_PID_FILE" ] || echo "$self" >"$HOTSWAP_PID_FILE"

# Not `kill -0 $parent`: a parent nobody has waited for would seem alive for ever.
parent_of_self() {
  if [ -r "/proc/$self/stat" ]; then
    read -r stat <"/proc/$self/stat"
    set -- ${stat##*) }
    echo "$2"
  else
    ps -o ppid= -p "$self" | tr -d ' '
  fi
}

# The watcher lets go of the program's pipes, or their readers would wait for it.
(
  exec </dev/null >/dev/null 2>&1 3>&-
  while [ "$(parent_of_self)" = "$parent" ]; do sleep 0.5; done
  kill -9 "$self"
) &
# Ctrl-C in a terminal reaches everyone; the parent decides when this one ends.
trap "" INT
exec "$@"
