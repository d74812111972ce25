-- Takes the key until the end of the transaction: a row that is locked cannot be taken by anybody else, and its lease is
-- over as soon as the others see it. They are told at the commit.
-- Invariant: never waits for a lock, and fails on nothing that others do: an error would undo the whole transaction.
WITH taken AS (
    UPDATE {table} AS held SET
        owner = :owner,
        token = greatest(held.last_token + 1, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)),
        last_token = greatest(held.last_token + 1, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)),
        acquired_at = clock_timestamp(),
        expires_at = clock_timestamp(),
        host = :host,
        pid = :pid,
        waiters = CASE
            WHEN held.waiters = '' THEN ''
            WHEN strpos(held.waiters, :entry) > 0
                THEN substr(held.waiters, strpos(held.waiters, :entry) + length(:entry))
            ELSE substr(held.waiters, strpos(substr(held.waiters, 2), chr(31)) + 2)
        END
    WHERE held.id = (
        SELECT free.id FROM {table} AS free
        WHERE free.id = :id AND free.expires_at <= clock_timestamp()
          AND (free.waiters = '' OR starts_with(free.waiters, :entry)
               OR free.expires_at + :window * interval '1 microsecond' <= clock_timestamp())
        FOR UPDATE SKIP LOCKED
    )
    RETURNING token
)
SELECT (SELECT token FROM taken), EXISTS (SELECT FROM {table} WHERE id = :id), {place},
       current_setting('transaction_isolation') = 'read committed',
       (SELECT CAST(pg_notify(:channel, :id || ' ') AS text) FROM taken)
