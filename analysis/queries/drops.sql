-- Who drops what, and why: packets dropped by host, reason and function.
SELECT host, drop_reason, drop_func, COUNT(*) AS drops, COUNT(DISTINCT trace_id) AS packets
FROM hops
WHERE end_how = 'dropped'
GROUP BY host, drop_reason, drop_func
ORDER BY drops DESC, host, drop_reason, drop_func
