-- One who releases, as `give` does it.
--
-- KEYS: lock, record, queue. ARGV: owner. Answers whether it was his.

return give(KEYS[1], KEYS[2], KEYS[3], ARGV[1])
