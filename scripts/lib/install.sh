# shellcheck shell=bash
# Installs programs that the scripts need through the system's own package manager. To be sourced.

# install_package WHAT APT DNF ZYPPER APK PACMAN BREW
# Installs one package under the name that each package manager has for it. Without the right to install it says what
# is missing, for WHAT, and fails: a script must never stop at a password prompt.
install_package() {
  local what=$1 apt=$2 dnf=$3 zypper=$4 apk=$5 pacman=$6 brew=$7
  local manager command
  for manager in apt-get dnf zypper apk pacman brew; do
    command -v "$manager" >/dev/null 2>&1 && break
    manager=
  done
  case $manager in
    apt-get) command="apt-get install -y $apt" ;;
    dnf) command="dnf install -y $dnf" ;;
    zypper) command="zypper --non-interactive install $zypper" ;;
    apk) command="apk add $apk" ;;
    pacman) command="pacman -S --noconfirm --needed $pacman" ;;
    brew) command="brew install $brew" ;;
    *)
      echo "$what: missing. Install it (here is no package manager that this script knows) and run this again." >&2
      return 1
      ;;
  esac

  # Homebrew refuses root; all others want it.
  local as_root=()
  if [ "$manager" != brew ] && [ "$EUID" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      echo "$what: missing. Install it and run this again:  sudo $command" >&2
      return 1
    fi
    as_root=(sudo -n)
  fi

  echo "$what: missing, installing it: $command" >&2
  if [ "$manager" = apt-get ]; then
    # A new container has no package lists; an old machine's may name versions that are gone.
    ${as_root[@]+"${as_root[@]}"} apt-get update -qq >&2 || true
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
  fi
  # shellcheck disable=SC2086 # a command line of plain words
  if ! ${as_root[@]+"${as_root[@]}"} $command </dev/null >&2; then
    echo "$what: could not be installed. Install it by hand and run this again." >&2
    return 1
  fi
}
