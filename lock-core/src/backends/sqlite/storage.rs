//! What the file is on: of two machines that share a file, each would take the other's leases for ones that a restart
//! has ended. And whether it is all of what is locked.

use std::path::Path;

/// File systems that several machines may see, by the number that the kernel has for each.
#[cfg(target_os = "linux")]
const SHARED: [(u64, &str); 22] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x6573_5546, "FUSE, which may be sshfs, virtiofs or another one that machines share"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x7461_636f, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x6163_6673, "ACFS"),
    (0x0131_11a8, "IBRIX"),
    (0xaad7_aaea, "PanFS"),
    (0x786f_4256, "a shared folder of VirtualBox"),
    (0xbacb_acbc, "a shared folder of VMware"),
    (0x7c7c_6673, "a shared folder of Parallels"),
];

/// The file system of a file, or of its directory where there is none yet, if machines may share it.
///
/// Asked for by path: closing a descriptor of the file would let go of all locks that this process has on it.
#[cfg(target_os = "linux")]
pub(super) fn shared_between_machines(path: &Path) -> Option<&'static str> {
    let of = |path: &Path| rustix::fs::statfs(path).ok();
    let found = of(path).or_else(|| of(path.parent()?))?;
    // The type differs between kinds of machine, and where it is a signed one of 32 bits, so does what stands above them.
    name_of(i128::from(found.f_type))
}

#[cfg(target_os = "linux")]
fn name_of(number: i128) -> Option<&'static str> {
    let number = number & 0xffff_ffff;
    SHARED.iter().find(|(known, _)| i128::from(*known) == number).map(|(_, name)| *name)
}

/// Elsewhere there is no clock to use it with.
#[cfg(not(target_os = "linux"))]
pub(super) fn shared_between_machines(_: &Path) -> Option<&'static str> {
    None
}

/// Whether the file is in a directory more than once. SQLite finds the log of a file by the file's name.
pub(super) fn has_several_names(path: &Path) -> bool {
    let is_file = |mode| rustix::fs::FileType::from_raw_mode(mode).is_file();
    rustix::fs::stat(path).is_ok_and(|found| is_file(found.st_mode) && found.st_nlink > 1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn file_systems_that_machines_share_are_known_also_as_signed_numbers() {
        assert_eq!(name_of(0x6969), Some("NFS"));
        assert_eq!(name_of(0xff53_4d42), Some("CIFS"));
        assert_eq!(name_of(i128::from(-0x00ac_b2be_i32)), Some("CIFS"));
        // ext4, tmpfs, overlayfs, btrfs and XFS.
        for local in [0xef53, 0x0102_1994, 0x794c_7630, 0x9123_683e, 0x5846_5342] {
            assert_eq!(name_of(local), None, "{local:x}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_judged_by_its_directory() {
        assert_eq!(shared_between_machines(Path::new("/proc/self/not-there")), None);
        assert_eq!(shared_between_machines(Path::new("/not/there/at/all")), None);
    }
}
