-- Lets whatever lease there is end now, and says whether somebody is to be told. The token stays.
UPDATE {table} SET expires_at = :now WHERE id = :id AND boot = :boot AND expires_at > :now RETURNING waiters <> ''
