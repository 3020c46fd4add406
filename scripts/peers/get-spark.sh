#!/bin/sh
# Gets Spark 4.0.0 with its Kafka connector, for analysis/spark_job.py and its test, into .cache/spark-4.0.0/ (600 MB): pyspark by
# pip, the connector by Maven. Does nothing if it is there.
set -eu
cd "$(dirname "$0")/../.."
. scripts/say.sh

version=4.0.0
folder=$PWD/.cache/spark-$version
if [ -f "$folder/complete" ]; then
  step SPARK "$version is in .cache"
  exit 0
fi
missing=
for package in openjdk-17-jre-headless maven python3-venv; do
  dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  step APT "${missing# }"
  # shellcheck disable=SC2086 # a list of words
  quietly env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 install -y --no-install-recommends $missing ||
    fail 'apt-get install failed (see above).' "Install them, then run this again: apt-get install$missing"
fi
rm -rf "$folder"
mkdir -p "$folder/connector"
step SPARK "$version: pyspark, 494 MB"
quietly python3 -m venv "$folder/venv" || fail 'Python cannot make a venv (see above).' 'Install python3-venv.'
quietly "$folder/venv/bin/pip" install --no-input "pyspark==$version" ||
  fail 'pip cannot get pyspark (see above).' "Check the network and pip's index, then run this again."
cat >"$folder/connector/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>skbspan</groupId>
  <artifactId>spark-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.spark</groupId>
      <artifactId>spark-sql-kafka-0-10_2.13</artifactId>
      <version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
step SPARK "$version: Kafka connector"
(cd "$folder/connector" && quietly mvn -B -q dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$folder/jars") ||
  fail 'Maven cannot get the connector (see above).' "Check the network and Maven's settings, then run this again."
touch "$folder/complete"
