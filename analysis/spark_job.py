"""Asks analysis/queries of the topic of hop rows, by Spark.

    spark-submit --packages org.apache.spark:spark-sql-kafka-0-10_2.13:4.0.0 analysis/spark_job.py \
        --brokers HOST:PORT [--topic skbspan.hops] [--query NAME]... [--stream]

Batch: reads the whole topic, prints a line of JSON per row of a result. --stream: drops per ten seconds, by host and reason,
for as long as it runs, or until what is there is read with --once. The master is spark-submit's (--master), a cluster or
local[2].
"""

import argparse
import json
import pathlib
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

HERE = pathlib.Path(__file__).resolve().parent
TYPES = {"integer": "BIGINT", "number": "BIGINT", "boolean": "BOOLEAN"}


def hop_columns():
    """Columns of skbspan.hop/1 as DDL."""
    path = HERE.parent / "config" / "schema" / "skbspan.hop-1.schema.json"
    properties = json.loads(path.read_text())["properties"]

    def sql_type(of):
        kind = of.get("type", "string")
        return TYPES.get(kind if isinstance(kind, str) else kind[0], "STRING")

    return ", ".join(f"`{name}` {sql_type(of)}" for name, of in properties.items())


def rows_of(frame):
    """Records of the topic as columns."""
    value = f.from_json(f.col("value").cast("string"), hop_columns())
    return frame.select(value.alias("hop")).select("hop.*").where(f.col("schema") == "skbspan.hop/1")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", default="skbspan.hops")
    parser.add_argument("--query", action="append")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()

    spark = SparkSession.builder.appName("skbspan").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    source = {
        "kafka.bootstrap.servers": options.brokers,
        "subscribe": options.topic,
        "startingOffsets": "earliest",
    }
    if options.stream:
        stream(spark, source, options.once)
    else:
        batch(spark, source, options.query)
    spark.stop()


def batch(spark, source, names):
    hops = rows_of(spark.read.format("kafka").options(**source).load())
    hops.cache().createOrReplaceTempView("hops")
    for path in sorted((HERE / "queries").glob("*.sql")):
        if names and path.stem not in names:
            continue
        for row in spark.sql(path.read_text()).toJSON().collect():
            print(json.dumps({"query": path.stem, **json.loads(row)}))
    sys.stdout.flush()


def stream(spark, source, once):
    hops = rows_of(spark.readStream.format("kafka").options(**source).load())
    drops = (
        hops.where(f.col("end_how") == "dropped")
        .groupBy(f.window(f.to_timestamp("time"), "10 seconds"), "host", "drop_reason")
        .count()
    )

    def show(frame, _number):
        for row in frame.toJSON().collect():
            print(json.dumps({"query": "stream", **json.loads(row)}))
        sys.stdout.flush()

    query = drops.writeStream.outputMode("complete").foreachBatch(show)
    query = query.trigger(availableNow=True) if once else query
    query.start().awaitTermination()


main()
