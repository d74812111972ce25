//! What the file is on: of two machines that share a file, each would take the other's leases for ones that a restart
//! has ended.

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
    (0x013_111a8, "IBRIX"),
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
    // Some kinds of machine have it signed, and 32 bits wide.
    #[expect(clippy::allow_attributes, reason = "the type is another one elsewhere")]
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "as above")]
    let number = found.f_type as u64 & 0xffff_ffff;
    SHARED.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// Elsewhere there is no clock to use it with.
#[cfg(not(target_os = "linux"))]
pub(super) fn shared_between_machines(_: &Path) -> Option<&'static str> {
    None
}
