# shellcheck shell=bash disable=SC2015,SC2034
# What bindings/install, bindings/demo and Tests/run share. Sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What building the library and the sandbox needs beside Swift.
build_packages=(
  binutils gcc libc6-dev pkg-config
  libcurl4-openssl-dev libjansson-dev libmicrohttpd-dev libsqlite3-dev libjwt-dev
)

# What an environment with the Python package needs beside that.
python_packages=(python3 python3-hatchling python3-venv)

say() { printf '==> %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

require_swift() {
  command -v swift >/dev/null && command -v swiftc >/dev/null ||
    fail "Swift was not found: install Swift 6.3.1 or newer (https://www.swift.org/install) and put it on PATH."
}

# require_packages NAME…: installs the Debian packages that are missing.
require_packages() {
  local name missing=() as_root=()
  command -v dpkg-query >/dev/null ||
    fail "this system is not Debian or like it: provide what these packages hold, and dpkg-query: $*."
  for name in "$@"; do
    # The architecture is left open, for Multi-Arch packages carry one in their name.
    dpkg-query --show --showformat='${db:Status-Status}\n' "$name" 2>/dev/null |
      grep -qx installed || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "these packages are missing, and neither root nor sudo is at hand to install them: ${missing[*]}."
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  # An index that is not there or too old to find a package is renewed, and only then.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "these Debian packages could not be installed: ${missing[*]}."
}

# header_macro NAME: the number that argyle.h gives a macro.
header_macro() {
  sed -n "s/^#define $1 \([0-9][0-9]*\)\$/\1/p" "$root/include/argyle.h"
}

# Sets version and major from argyle.h, the one place that has the version: both libraries are of the same.
read_version() {
  local minor patch
  major=$(header_macro ARGYLE_VERSION_MAJOR)
  minor=$(header_macro ARGYLE_VERSION_MINOR)
  patch=$(header_macro ARGYLE_VERSION_PATCH)
  [[ $major && $minor && $patch ]] || fail "include/argyle.h does not tell its version."
  version=$major.$minor.$patch
}

# Where the toolchain keeps its libraries, whatever the command on PATH links to.
swift_resources() {
  swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p'
}

swift_triple() {
  swiftc -print-target-info | sed -n 's/.*"unversionedTriple": "\(.*\)".*/\1/p'
}

# The tables by which Embedded Swift compares strings; a linker takes from them what is used.
unicode_tables() {
  printf '%s/embedded/%s/libswiftUnicodeDataTables.a\n' "$(swift_resources)" "$(swift_triple)"
}

# The libraries go by the names of their headers, argyle and argyle-sandbox; what is built is product NAME-c.

# soname NAME: the name under which programs look for the library.
soname() {
  printf 'lib%s.so.%s\n' "$1" "$major"
}

# write_version_script NAME FILE: exports the header's functions under one node, and nothing else.
write_version_script() {
  local node=${1^^}
  {
    printf '%s_%s {\nglobal:\n' "${node//-/_}" "$major"
    "$root/bindings/c/functions" "$root/include/$1.h" | sed 's/.*/  &;/'
    printf 'local:\n  *;\n};\n'
  } >"$2"
}

# build_product PRODUCT OUTPUT SCRATCH FLAG…: builds one product by itself, because linker flags hit everything
# that is linked in the same call. Those for the compiler come first. The environment says whether it is
# Embedded Swift.
build_product() {
  local product=$1 output=$2 scratch=$3 compiling linking
  shift 3
  mkdir -p "$scratch"
  # SwiftPM neither compiles nor links again where only flags or the version script changed.
  compiling=$(printf '%s\n' "$@" | sed '/^-Xlinker$/,$d')
  if [[ -d $scratch/release ]] && is_new "$scratch/compiling" "$compiling"; then
    find "$scratch/release/" -name '*.o' -delete
  fi
  linking=$(printf '%s\n' "$@" && cat "$scratch/$product.map" 2>/dev/null || true)
  if is_new "$scratch/$product.linking" "$linking"; then
    rm -f "$scratch/release/$output"
  fi
  swift build --package-path "$root" --scratch-path "$scratch" -c release \
    --disable-local-rpath --product "$product" "$@"
  printf '%s\n' "$compiling" >"$scratch/compiling"
  printf '%s\n' "$linking" >"$scratch/$product.linking"
}

# is_new FILE TEXT: whether the file does not hold the text yet.
is_new() {
  [[ ! -f $1 || $2 != "$(<"$1")" ]]
}

# Embedded Swift puts a module's functions into one section: in sections of their own, the linker drops those
# that nothing uses, which halves the library. The toolchain's own linker is there wherever Swift is, and keeps
# the names of local symbols out of the library, which gold does not. Access to memory is checked when it is compiled
# and not again when it runs: a check that fails would end the host.
embedded_flags=(
  -Xswiftc -Xfrontend -Xswiftc -function-sections -Xswiftc -use-ld=lld -Xswiftc -enforce-exclusivity=unchecked
)

# link_library SCRATCH NAME ARGUMENT…: a library, with its name and its exports. It binds all functions when it is
# loaded: the first call of one that is bound later saves the processor's registers on the stack, a secret that was just
# copied through them too.
link_library() {
  local scratch=$1 name=$2 map=$1/$2-c.map
  shift 2
  mkdir -p "$scratch"
  write_version_script "$name" "$map"
  build_product "$name-c" "lib$name-c.so" "$scratch" "$@" \
    -Xlinker "-soname=$(soname "$name")" -Xlinker "--version-script=$map" -Xlinker -z -Xlinker now
}

# build_library SCRATCH NAME: the shipped library, Embedded Swift, into SCRATCH/release/libNAME-c.so.
build_library() {
  ARGYLE_EMBEDDED=1 link_library "$1" "$2" "${embedded_flags[@]}" \
    -Xlinker "$(unicode_tables)" -Xlinker --as-needed -Xlinker -lm -Xlinker --gc-sections \
    -Xlinker -z -Xlinker defs -Xlinker -s
}

# What is undefined in C ends the program as well, where a sanitizer is at work: each brings what that takes along.
# Swift has no such check.
undefined_flags=(-Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=all)

# build_sanitized SCRATCH NAME address|thread: the same for a sanitizer, whose symbols the program that loads
# it has to bring, with symbols for readable stacks.
build_sanitized() {
  ARGYLE_EMBEDDED=1 link_library "$1" "$2" "${embedded_flags[@]}" --sanitize "$3" "${undefined_flags[@]}" \
    -Xlinker "$(unicode_tables)" -Xlinker -lm
}

# build_ordinary SCRATCH NAME: the library as ordinary Swift, which needs the Swift runtime.
build_ordinary() {
  link_library "$1" "$2"
}

# build_sandbox SCRATCH: the server, Embedded Swift, into SCRATCH/release/argyle-sandbox.
build_sandbox() {
  ARGYLE_EMBEDDED=1 build_product argyle-sandbox argyle-sandbox "$1" "${embedded_flags[@]}" \
    -Xlinker "$(unicode_tables)" -Xlinker -lm -Xlinker --gc-sections -Xlinker -s
}

# build_sanitized_sandbox SCRATCH address: the same for a sanitizer.
build_sanitized_sandbox() {
  ARGYLE_EMBEDDED=1 build_product argyle-sandbox argyle-sandbox "$1" "${embedded_flags[@]}" --sanitize "$2" \
    "${undefined_flags[@]}" \
    -Xlinker "$(unicode_tables)" -Xlinker -lm
}

# build_archive SCRATCH: the objects of libargyle.so as one, SCRATCH/libargyle.a. A plain archive would
# show swift_retain and some 500 more, which clash with those of a Swift program that links it.
build_archive() {
  local scratch=$1 object=$1/argyle.o roots
  "$root/bindings/c/functions" >"$scratch/functions"
  mapfile -t roots < <(sed 's/^/--undefined=/' "$scratch/functions")
  # Groups of sections are dissolved: a linker drops one of two groups of a name, also where ours is local.
  ld -r --force-group-allocation --gc-sections "${roots[@]}" \
    -o "$object" "@$scratch/release/argyle-c.product/Objects.LinkFileList" "$(unicode_tables)"
  objcopy --keep-global-symbols="$scratch/functions" --remove-section=.swift1_autolink_entries "$object"
  strip --strip-unneeded "$object"
  rm -f "$scratch/libargyle.a"
  ar -rcD "$scratch/libargyle.a" "$object"
}

# put MODE FILE DESTINATION: copies a file, unless it is there already: programs may be using it.
put() {
  install -C -D -m "$1" "$2" "$3"
}

# lay_out_library SCRATCH NAME DIRECTORY: the library that was built, and the links to it.
lay_out_library() {
  local file=lib$2.so
  put 755 "$1/release/lib$2-c.so" "$3/$file.$version"
  ln -sfn "$file.$version" "$3/$(soname "$2")"
  ln -sfn "$(soname "$2")" "$3/$file"
}

# install_package ENVIRONMENT: the Python package, with the libraries of $ARGYLE_PREFIX, into a virtual environment
# that has hatchling: nothing is downloaded.
install_package() {
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-index --no-deps --no-build-isolation --force-reinstall "$root/bindings/python"
}
