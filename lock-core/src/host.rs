//! Who this machine is, for those who are told who holds a lock.

/// Its name.
pub(crate) fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
