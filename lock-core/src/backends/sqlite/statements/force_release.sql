-- Lets whatever lease there is end now. The token stays.
UPDATE {table} SET expires_at = :now WHERE id = :id AND boot = :boot AND expires_at > :now RETURNING 1
