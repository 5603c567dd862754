#!/usr/bin/env bash
# Asks Kafka's and Debezium's own transforms again. usage: record.sh <folder of Debezium's recordings> [jars]
# Java 17 and Maven are needed; `git diff ../golden` shows what became of it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); golden=$here/../golden; jars=${2:-$(mktemp -d)}
python3 "$here/cases.py" "$1"
[ -n "$(ls "$jars" 2>/dev/null)" ] ||
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars" -DincludeScope=runtime
java -Duser.timezone=UTC -Duser.language=en -Duser.country=US -cp "$jars/*" "$here/Referee.java" "$golden/inputs.json" "$golden"/*.jsonl
# The moment of recording, so that a zone's offset of today stays that of the day.
date -u +%s > "$golden/recorded_at"
