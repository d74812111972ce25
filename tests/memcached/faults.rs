//! The network and the server fail, at every point of a lock's life.

tests::fault_suite!(MemcachedServer: forgets);
