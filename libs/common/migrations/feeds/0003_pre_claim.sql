-- Takes due feeds, under leases that end at `lease_end`, and returns each as it is from now on, with
-- its signal's generation. It is a function for the sake of its settings: the plan is pinned to the
-- ordered index, since the planner otherwise flips to sorting everything that is due, and a
-- pin of its own would be another round trip with every claim.
--
-- The commit is not waited for: whatever the run commits comes after it on the disk. A database
-- that crashes may forget the claim, and the next one must not get its number: so the number is
-- the time, unless that has gone back.
CREATE FUNCTION claim_feeds(
    moment timestamptz, most integer, lease_end timestamptz, long_runs boolean
) RETURNS TABLE (feed feeds, generation bigint)
LANGUAGE plpgsql ROWS 10
SET enable_bitmapscan = off
SET enable_seqscan = off
SET enable_sort = off
AS $$
BEGIN
    -- Only to begin the statement below takes several times as long as to see that nothing is due.
    IF NOT EXISTS (SELECT FROM signals AS d
                    WHERE d.background = long_runs AND d.due_at <= moment) THEN
        RETURN;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT d.tenant_id, d.feed_id FROM signals AS d
         WHERE d.background = long_runs AND d.due_at <= moment
         ORDER BY d.background, d.due_at LIMIT most FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE signals AS s SET running = true, due_at = lease_end
          FROM due WHERE s.tenant_id = due.tenant_id AND s.feed_id = due.feed_id
        RETURNING s.tenant_id, s.feed_id, s.generation
    )
    UPDATE feeds AS f
       SET lease_epoch = GREATEST(
               f.lease_epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint),
           lease_until = lease_end
      FROM taken AS t WHERE f.tenant_id = t.tenant_id AND f.id = t.feed_id
    RETURNING f, t.generation;
END
$$;
