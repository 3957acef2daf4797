# shellcheck shell=bash
# A state as a file outside the checkout, so that a fresh cloud takes seconds.

snapshot_file() { # its name says what made it: the lab's files, the packages, addresses and paths
  local key
  key=$({
    cd "$LAB" && find lab lib python -type f -not -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum
    package_versions
    echo "$STATE $PASSWORD $REGION $COMPUTES" "${!PORT_@}"
    for name in ${!PORT_@}; do echo "${!name}"; done
  } | sha256sum | cut -c1-16)
  echo "$SNAPSHOTS/$key.tar.gz"
}
save() {
  local file
  file=$(snapshot_file)
  stop_all
  mkdir -p "$SNAPSHOTS"
  # What up() writes anew on each start (configuration, Python, logs) stays out.
  tar -C "$STATE" -cf - .lab lib done pkg | gzip -1 >"$file.part"
  mv "$file.part" "$file"
  # The three newest stay: a branch or two beside this one.
  find "$SNAPSHOTS" -name '*.tar.gz' -printf '%T@ %p\n' | sort -rn | tail -n +4 | cut -d' ' -f2- | xargs -r rm -f
  say "saved $file ($(du -h "$file" | cut -f1))"
}
restore() { # false when there is no snapshot of exactly this lab
  local file
  file=$(snapshot_file)
  [ -f "$file" ] || return 1
  forget
  mkdir -p "$STATE"
  tar -C "$STATE" -xzf "$file"
  say "restored $file"
}
