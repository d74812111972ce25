-- Whether the asking owner may have the key: nobody has it, and it is not kept for somebody else who is first in line.
(expires_at <= UTC_TIMESTAMP(6)
 AND (waiters = '' OR LOCATE(:entry, waiters) = 1
      OR expires_at + INTERVAL :window MICROSECOND <= UTC_TIMESTAMP(6)))
