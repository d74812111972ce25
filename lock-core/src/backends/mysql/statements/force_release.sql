-- Lets whatever lease there is end now. The token stays.
UPDATE {table} SET expires_at = UTC_TIMESTAMP(6) WHERE id = :id AND expires_at > UTC_TIMESTAMP(6)
