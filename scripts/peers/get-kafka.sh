#!/bin/sh
# Gets real Kafka brokers, for the tests in test/peers/kafka, into .cache/kafka-VERSION/ (54 MB each), and what runs and reads
# them: Java, Maven and kcat by apt, and docker-compose, which looks at docker-compose.yml. Does nothing for what is there.
#   scripts/peers/get-kafka.sh [VERSION...]     default: 4.1.0 3.9.1
#
# A broker is only jars, and Maven's repository has all of them. The folder becomes visible when it is complete.
set -eu
cd "$(dirname "$0")/../.."
. scripts/say.sh

[ $# -gt 0 ] || set -- 4.1.0 3.9.1
scala=2.13
slf4j=1.7.36
packages='openjdk-17-jre-headless maven kcat openssl docker-compose'

missing=
for package in $packages; do
  dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  advice="Install them, then run this again: apt-get install$missing"
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then fail "Kafka's tests need packages of the system." "$advice"; fi
  export DEBIAN_FRONTEND=noninteractive
  step APT "${missing# }"
  # shellcheck disable=SC2086 # a list of words
  quietly apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 install -y --no-install-recommends $missing || {
    quietly apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 update &&
      quietly apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 install -y --no-install-recommends $missing
  } || fail 'apt-get install failed (see above).' "$advice"
fi

mkdir -p .cache
work=$(mktemp -d "$PWD/.cache/kafka-get.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for version in "$@"; do
  folder=$PWD/.cache/kafka-$version
  if [ -d "$folder" ]; then
    step KAFKA "$version is in .cache"
    continue
  fi
  step KAFKA "$version: download"
  cat >"$work/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>skbspan</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_$scala</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>$slf4j</version></dependency>
  </dependencies>
</project>
POM
  rm -rf "$work/libs"
  (cd "$work" && quietly mvn -B -q dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work/libs") ||
    fail "Maven cannot get Kafka $version (see above)." "Check the network and Maven's settings (mvn help:effective-settings), then run this again."
  # 3.9 brings a logger that stays silent without a file of settings.
  rm -f "$work"/libs/slf4j-reload4j-*.jar
  mv "$work/libs" "$folder"
done
