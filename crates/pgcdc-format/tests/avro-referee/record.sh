#!/usr/bin/env bash
# Asks the real AvroData again (Apicurio's copy of Confluent's class, which alone is in a public registry). usage: record.sh [jars]
# Java 17 and Maven are needed; `git diff ../golden-avro` shows what became of it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); jars=${1:-$(mktemp -d)}
python3 "$here/cases.py" "$here/../../../../tests/conformance"
[ -n "$(ls "$jars" 2>/dev/null)" ] ||
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars" -DincludeScope=runtime
java -Duser.timezone=UTC -cp "$jars/*" "$here/AvroReferee.java" "$here/../golden-avro/cases.jsonl"
