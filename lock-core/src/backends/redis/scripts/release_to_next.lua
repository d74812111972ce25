-- The end of `release`.

pass_on(KEYS[1], KEYS[2], KEYS[3])
return 1
