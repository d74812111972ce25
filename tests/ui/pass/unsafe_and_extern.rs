//! Functions that are unsafe or foreign.

use lock::lock;

#[lock("unsafe")]
unsafe fn dangerous(number: *const u8) -> u8 {
    unsafe { *number }
}

#[lock("extern")]
unsafe extern "C" fn foreign(number: u8) -> u8 {
    number
}

struct S;

unsafe trait Dangerous {
    unsafe fn work(&self) -> u8;
}

unsafe impl Dangerous for S {
    #[lock("method")]
    unsafe fn work(&self) -> u8 {
        1
    }
}

fn main() {
    lock::install(lock::Config::new().url("memory://")).unwrap();
    assert_eq!(unsafe { dangerous(&7) + foreign(1) + S.work() }, 9);
}
