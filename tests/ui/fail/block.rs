use lock::prelude::*;

fn main() {
    let _ = lock!({ 1 });
    let _ = lock!("key");
    let _ = lock!("key", < 1);
    let _ = lock!("key", { 1 }, blocking = false);
    let _ = lock!("key", |a, b| { 1 });
    let _ = lock!("key", otherwise = |_| 1, { 1 });
    let _ = lock!("key", on_lost = "cancel", { 1 });
    let _ = lock!("key", guard = a, |b| { 1 });
    let _: Option<u8> = lock!("key", ttl = "soon", { 1 }).ok();
    let _ = lock!("key", 1 + 1);
    let _ = lock_model!({ 1 });
}
