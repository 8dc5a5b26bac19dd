#!/usr/bin/env bash
# harper.sh FILE…: checks the English of Markdown files, and of the comments of Rust files, with Harper.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

# Rules that are wrong here, or that belong to another style.
ignored=(
    CallThem Overall There # take two words for one, as in "rendered as templates"
    CompoundNouns          # "job share" is not "jobshare"
    DisjointPrefixes       # GitHub writes "re-run"
    ExpandControl          # Ctrl-C is a key
    ExpandMemoryShorthands # "4 KiB" is plain
    ExpandTimeShorthands
    HavePronoun MassNouns  # take a word for another one, such as "a ping"
    LongSentences          # counts the names of tests as words
    MissingPreposition     # wrong where a relative clause ends a sentence
    OneOfTheSingular       # "a later one of the job" is right
    OrthographicConsistency Spaces # are wrong about names of files
    OxfordComma            # the comma is left to the author
    SentenceCapitalization # cells of tables begin in lower case
    SplitWords             # "another's" is a word
    UseTitleCase           # headings are sentences
)
IFS=,
output=$(harper lint --no-color --format compact --dialect british --user-dict-path "$here/dictionary.txt" \
    --ignore "${ignored[*]}" "$@" 2>&1) || {
    # Without the backtrace.
    printf '%s\n' "$output" | sed '/^Stack backtrace:/,$d'
    exit 1
}
