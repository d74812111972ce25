-- Whose turn it is: for how long the key is held yet, where the owner stands in line, and how long the line is.
SELECT CASE WHEN boot = :boot THEN expires_at - :now ELSE 0 END,
       instr(waiters, char(31) || :owner || char(31)), length(waiters)
FROM {table} WHERE id = :id
