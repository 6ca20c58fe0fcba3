#!/bin/sh
# The command `andon`. A shell script because it starts the one file that `andon kill` needs with `python -IS`, before
# site-packages are looked at: from here to the first byte at a venue is what matters, and nothing else is imported.

self=$0
while [ -h "$self" ]; do
  target=$(readlink "$self")
  case $target in
    /*) self=$target ;;
    *) self=${self%/*}/$target ;;
  esac
done
here=${self%/*}
python=$here/python
[ -x "$python" ] || python=python3

if [ "${1-}" = kill ]; then
  for room in "$here"/../lib/python3.*/site-packages; do
    if [ ! -d "$room/console" ] && [ -f "$room/_andon.pth" ]; then
      read -r room <"$room/_andon.pth" || [ -n "$room" ] || continue # an editable install names its folder there
    fi
    if [ -f "$room/console/cord/kill.py" ]; then
      shift
      exec "$python" -IS "$room/console/cord/kill.py" "$@"
    fi
  done
fi

# -P keeps the working directory off the path: a folder named "console" lying there must not become the program.
exec "$python" -P -m console "$@"
