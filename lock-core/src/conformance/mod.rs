//! What every backend has to keep, as functions over a backend.
