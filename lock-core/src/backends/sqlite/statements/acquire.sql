-- Takes the key if it is free, and not kept for somebody who is first in line.
-- Invariant: a row of this boot that has not expired is never given to another owner, and a key's last token only ever
-- grows.
INSERT INTO {table} AS held
    (id, key, owner, token, last_token, acquired_at, expires_at, boot, host, pid, waiters)
VALUES (:id, :key, :owner, :wall, :wall + :reserve - 1, :wall, :now + :ttl, :boot, :host, :pid, '')
ON CONFLICT (id) DO UPDATE SET
    owner = excluded.owner,
    token = max(held.last_token + 1, excluded.token),
    last_token = max(held.last_token + 1, excluded.token) + :reserve - 1,
    acquired_at = excluded.acquired_at,
    expires_at = excluded.expires_at,
    boot = excluded.boot,
    host = excluded.host,
    pid = excluded.pid,
    -- All in line up to the owner have had their turn; if he is not in line, the first of it has missed his. Nobody of
    -- another boot waits any more.
    waiters = CASE
        WHEN held.waiters = '' OR held.boot <> :boot THEN ''
        WHEN instr(held.waiters, :entry) > 0
            THEN substr(held.waiters, instr(held.waiters, :entry) + length(:entry))
        ELSE substr(held.waiters, instr(substr(held.waiters, 2), char(31)) + 2)
    END
WHERE held.boot <> :boot
   OR held.expires_at <= :now
      AND (held.waiters = '' OR instr(held.waiters, :entry) = 1 OR held.expires_at + :window <= :now)
RETURNING token, last_token
