-- How long packets take on each receive or transmit queue of a device, in ns.
WITH paths AS (
  SELECT host, device, queue, trace_id, MAX(path_duration_ns) AS path_ns
  FROM hops
  WHERE device IS NOT NULL AND device <> '' AND queue IS NOT NULL
  GROUP BY host, device, queue, trace_id
)
SELECT host, device, queue, COUNT(*) AS packets, MIN(path_ns) AS min_ns, MAX(path_ns) AS max_ns,
  SUM(path_ns) AS sum_ns
FROM paths
GROUP BY host, device, queue
ORDER BY host, device, queue
