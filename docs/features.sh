#!/usr/bin/env bash
# Rewrites docs/features.md: what each feature of `lock` costs in crates and in build time.
#   bash docs/features.sh          counts the crates, and keeps the times that the page has
#   bash docs/features.sh --build  also builds each of them from nothing, in a directory of its own: some minutes
set -euo pipefail
cd "$(dirname "$0")/.."

page=docs/features.md
features=(none redis memcached postgres mysql sqlite all)
everything=redis,memcached,postgres,mysql,sqlite
jobs=2

# The arguments of cargo for a line of the table.
chosen() {
    case $1 in
        none) echo "-p lock" ;;
        all) echo "-p lock --features $everything" ;;
        *) echo "-p lock --features $1" ;;
    esac
}

# The crates that are compiled for a program, procedural macros included, each version once.
crates() {
    cargo tree --locked $(chosen "$1") -e normal --prefix none --no-dedupe |
        awk 'NF { print $1, $2 }' | sort -u | wc -l
}

# Whose build scripts call a C compiler.
compiled() {
    local by
    by=$(cargo tree --locked $(chosen "$1") -e normal,build -i cc --depth 1 --prefix none 2>/dev/null |
        awk 'NR > 1 && NF && $1 !~ /^\[/ { print $1 }' | sort -u | paste -sd ' ')
    echo "${by:+yes: ${by// /, }}"
}

# Seconds of a clean debug build.
build() {
    local target begin end
    target=$(mktemp -d)
    begin=$(date +%s.%N)
    CARGO_TARGET_DIR=$target cargo build --locked --offline --quiet -j "$jobs" $(chosen "$1") >&2
    end=$(date +%s.%N)
    rm -rf "$target"
    awk -v begin="$begin" -v end="$end" 'BEGIN { printf "%.1f", end - begin }'
}

# What the page says of a feature's build so far: its column of seconds.
known() {
    [ -f "$page" ] || return 0
    awk -F'|' -v name="\`$1\`" '{ gsub(/ /, "", $2) } $2 == name { gsub(/[ s]/, "", $5); print $5; exit }' "$page"
}

declare -A seconds
if [ "${1:-}" = --build ]; then
    cargo fetch --locked --quiet
    for feature in "${features[@]}"; do
        echo "building $feature …" >&2
        seconds[$feature]=$(build "$feature")
    done
    measured="Clean debug builds of the package alone with \`-j $jobs\`, on $(nproc) cores of $(
        sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1
    ), $(rustc --version | cut -d' ' -f1,2)."
else
    for feature in "${features[@]}"; do seconds[$feature]=$(known "$feature"); done
    measured=$([ -f "$page" ] && grep -m1 '^Clean debug builds' "$page" || true)
fi

table() {
    local base crates feature ratio
    base=$(crates none)
    echo "| feature | crates | C compiler | build | of that without features |"
    echo "|---|---|---|---|---|"
    for feature in "${features[@]}"; do
        crates=$(crates "$feature")
        ratio=$(awk -v all="${seconds[$feature]}" -v none="${seconds[none]}" \
            'BEGIN { if (all != "" && none > 0) printf "× %.1f", all / none }')
        echo "| \`$feature\` | $crates (+ $((crates - base))) | $(compiled "$feature") | ${seconds[$feature]:+${seconds[$feature]} s} | $ratio |"
    done
}

# The tree without where its parts are on this disk.
top() {
    echo '```text'
    cargo tree --locked $(chosen "$1") -e normal --depth 2 | sed -E 's/ \(\/[^)]*\)//'
    echo '```'
}

{
    echo "# What each feature costs"
    echo
    echo "Crates: those that are compiled for a program that uses \`lock\` with this feature alone, \`lock\` and its procedural macros"
    echo "included, as \`cargo tree -e normal\` lists them; in brackets, how many more than without features. *C compiler*: whose build"
    echo "scripts call one. \`all\` is all five together: what they share is compiled once."
    echo "To repeat it: \`bash docs/features.sh --build\` (it rewrites this page; without \`--build\` it keeps the times)."
    echo
    table
    echo
    if [ -n "$measured" ]; then echo "$measured"; echo; fi
    for feature in "${features[@]}"; do
        echo "## \`$feature\`"
        echo
        top "$feature"
        echo
    done
} > "$page.new"
# The last line is empty.
sed -i '$d' "$page.new"
mv "$page.new" "$page"
echo "written to $page"
