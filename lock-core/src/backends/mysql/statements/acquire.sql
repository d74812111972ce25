-- Takes the key if it is free, and not kept for somebody who is first in line. The answer is what LAST_INSERT_ID was
-- told last: the first of its tokens, or 0 if it is refused.
-- Invariant: a row that has not expired is never given to another owner, and a key's last token only ever grows.
--
-- The time is that of the beginning of the statement. One that had to wait for the row judges by an earlier time than it
-- is: what has ended meanwhile still lasts for it, and what it grants ends earlier than was asked, never the opposite.
--
-- Each assignment asks for itself whether the key is free, and reads no column that was assigned before it, but for the
-- last: it is right whether a server assigns them one after the other or all at once (SIMULTANEOUS_ASSIGNMENT).
INSERT INTO {table} (id, `key`, owner, token, last_token, acquired_at, expires_at, host, pid, waiters)
VALUES (:id, :key, :owner, LAST_INSERT_ID({now}), {now} + :reserve - 1,
        UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL :ttl MICROSECOND, :host, :pid, '')
ON DUPLICATE KEY UPDATE
    token = GREATEST(token, LAST_INSERT_ID(IF({free}, GREATEST(last_token + 1, {now}), 0))),
    last_token = IF({free}, GREATEST(last_token + 1, {now}) + :reserve - 1, last_token),
    owner = IF({free}, :owner, owner),
    acquired_at = IF({free}, UTC_TIMESTAMP(6), acquired_at),
    host = IF({free}, :host, host),
    pid = IF({free}, :pid, pid),
    expires_at = IF({free}, UTC_TIMESTAMP(6) + INTERVAL :ttl MICROSECOND, expires_at),
    -- Granted by this very statement: all in line up to the owner have had their turn; if he is not in line, the first
    -- of it has missed his.
    waiters = IF(owner <> :owner OR acquired_at <> UTC_TIMESTAMP(6) OR waiters = '', waiters,
        IF(LOCATE(:entry, waiters) > 0,
           SUBSTRING(waiters, LOCATE(:entry, waiters) + LENGTH(:entry)),
           SUBSTRING(waiters, LOCATE(x'1F', waiters, 2) + 1)))
