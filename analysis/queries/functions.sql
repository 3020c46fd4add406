-- How long each function takes on each host, in ns; the middle and the slowest hundredth are calls that happened.
WITH ranked AS (
  SELECT host, func, duration_ns,
    ROW_NUMBER() OVER (PARTITION BY host, func ORDER BY duration_ns) AS place,
    COUNT(*) OVER (PARTITION BY host, func) AS calls
  FROM hops
  WHERE timing = 'exit' AND duration_ns IS NOT NULL
)
SELECT host, func, MAX(calls) AS calls,
  MAX(CASE WHEN place = CEIL(calls * 0.5) THEN duration_ns END) AS p50_ns,
  MAX(CASE WHEN place = CEIL(calls * 0.99) THEN duration_ns END) AS p99_ns,
  MAX(duration_ns) AS max_ns
FROM ranked
GROUP BY host, func
ORDER BY p99_ns DESC, host, func
