# Sourced by the other scripts: one way of saying what goes on.

# step WHAT OBJECT - one line per thing made, as make's quiet mode does.
step() {
  printf '  %-8s%s\n' "$1" "$2"
}

# fail PROBLEM ADVICE - says what is wrong and what to do about it, then exits 1.
fail() {
  printf 'skbspan: %s\n  %s\n' "$1" "$2" >&2
  exit 1
}

# quietly COMMAND... - runs it silently; shows all of its output only if it fails.
quietly() {
  quietly_log=$(mktemp)
  if "$@" >"$quietly_log" 2>&1; then
    rm -f "$quietly_log"
  else
    quietly_status=$?
    cat "$quietly_log" >&2
    rm -f "$quietly_log"
    return "$quietly_status"
  fi
}
