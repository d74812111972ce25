//! The network, the server and others who use it fail or interfere, at every point of a lock's life.

mod settings;
mod standby;

tests::fault_suite!(PostgresServer: keeps, ends, database);
