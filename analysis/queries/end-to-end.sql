-- The same packet on several hosts, joined by its content id: from its first call on the first host to the end of its path on
-- the last one, in ns. The clocks of the hosts must agree (PTP, NTP). What is more than 10 s apart is another packet.
WITH sights AS (
  SELECT content_id, host, trace_id, MIN(CAST(time_ns AS BIGINT)) AS start_ns,
    MIN(CAST(time_ns AS BIGINT)) + MAX(path_duration_ns) AS end_ns
  FROM hops
  WHERE content_id IS NOT NULL
  GROUP BY content_id, host, trace_id
)
SELECT a.host AS from_host, b.host AS to_host, COUNT(*) AS packets,
  MIN(b.end_ns - a.start_ns) AS min_ns, MAX(b.end_ns - a.start_ns) AS max_ns,
  SUM(b.start_ns - a.end_ns) AS between_sum_ns
FROM sights a JOIN sights b
  ON a.content_id = b.content_id AND a.host <> b.host
    AND b.start_ns > a.start_ns AND b.start_ns - a.start_ns < 10000000000
GROUP BY a.host, b.host
ORDER BY from_host, to_host
