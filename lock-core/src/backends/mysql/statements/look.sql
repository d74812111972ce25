-- What is known of a key.
SELECT {row} FROM {table} AS held WHERE held.id = :id
