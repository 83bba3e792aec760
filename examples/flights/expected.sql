-- expected.sql: the same question asked of PostgreSQL alone. Reads the tables flight and airport, loaded
-- from the CSV files with COPY, and compares with what Weir wrote into delays_by_airport: one row,
-- rows wanted, rows there, missing, wrong. scripts/flights-compare loads the files and runs this.

CREATE TEMP TABLE wanted AS
  SELECT f.origin AS airport, date_trunc('hour', f.date) AS hour, min(a.city) AS city, count(*) AS late,
         max(f.delay) AS worst, sum(f.delay)::float8 / count(*) AS mean
  FROM flight f JOIN airport a ON a.iata = f.origin
  WHERE f.delay >= 15
  GROUP BY 1, 2;

CREATE TEMP TABLE found AS
  SELECT airport::text, hour::timestamp, city::text, late::bigint, worst::int, mean::float8
  FROM delays_by_airport;

SELECT (SELECT count(*) FROM wanted), (SELECT count(*) FROM found),
       (SELECT count(*) FROM (TABLE wanted EXCEPT ALL TABLE found) AS m),
       (SELECT count(*) FROM (TABLE found EXCEPT ALL TABLE wanted) AS w);
