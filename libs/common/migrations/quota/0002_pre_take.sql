-- Leases units in every scope, or in none: one round trip, and whoever waits for a scope's lock
-- waits for no client. Each statement of a function sees what was committed when it began, thus
-- after the locks. The rules are those of `model.settle`, which also says how long a refusal lasts.
--
-- The project's scopes are everybody's, so the commit does not wait for the disk.
CREATE FUNCTION quota_take(
    scopes text[], slots bigint[], sinces bigint[], ceilings bigint[],
    least_units bigint, most_units bigint, lock_seed bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    free bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(key)
       FROM (SELECT DISTINCT hashtextextended(scope, lock_seed) AS key
               FROM unnest(scopes) AS scope
              ORDER BY key) AS sorted;
    SELECT min(wanted.ceiling - (SELECT COALESCE(sum(u.used), 0)
                                   FROM quota_usage AS u
                                  WHERE u.scope = wanted.scope AND u.slot >= wanted.since))
      INTO free
      FROM unnest(scopes, sinces, ceilings) AS wanted (scope, since, ceiling);
    IF free < least_units THEN
        RETURN NULL;
    END IF;
    free := LEAST(free, GREATEST(least_units, most_units));
    -- Slots that count no more go, so that a scope never has many.
    DELETE FROM quota_usage AS u
     USING unnest(scopes, sinces) AS wanted (scope, since)
     WHERE u.scope = wanted.scope AND u.slot < wanted.since;
    INSERT INTO quota_usage AS u (scope, slot, used)
    SELECT scope, slot, free FROM unnest(scopes, slots) AS wanted (scope, slot)
    ON CONFLICT (scope, slot) DO UPDATE SET used = u.used + EXCLUDED.used;
    RETURN free;
END
$$;
