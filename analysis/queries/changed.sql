-- Ways through the kernel that are new on the last day of the data, or gone since the days before. A way is told by the first
-- and the last function of a packet's first life, how many calls it has, and whether it was dropped.
WITH ways AS (
  SELECT host, SUBSTR(MIN(time), 1, 10) AS day, trace_id, COUNT(*) AS calls,
    SUM(CASE WHEN end_how = 'dropped' THEN 1 ELSE 0 END) AS dropped,
    MIN(transport) AS transport,
    MIN(CASE WHEN call = 0 THEN func END) AS first_func,
    MAX(CASE WHEN end_how IS NOT NULL THEN func END) AS last_func
  FROM hops
  WHERE life = 0
  GROUP BY host, trace_id
),
days AS (SELECT MAX(day) AS last_day FROM ways),
counted AS (
  SELECT host, transport, first_func, last_func, calls, dropped,
    SUM(CASE WHEN day = last_day THEN 1 ELSE 0 END) AS today,
    SUM(CASE WHEN day < last_day THEN 1 ELSE 0 END) AS earlier
  FROM ways CROSS JOIN days
  GROUP BY host, transport, first_func, last_func, calls, dropped
)
SELECT host, transport, first_func, last_func, calls, dropped, today, earlier
FROM counted
WHERE today = 0 OR earlier = 0
ORDER BY host, transport, first_func, last_func, calls, dropped
