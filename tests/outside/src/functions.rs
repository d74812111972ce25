//! Functions, lockers, guards.

use std::time::Duration;

use lock::{Error, Guard, Locker};

use crate::{AppError, block_on};

const fn goes_anywhere<T: Send + Sync + 'static>() {}

pub fn run() -> Result<(), AppError> {
    goes_anywhere::<Guard>();
    let locker = Locker::open("memory://?prefix=app:&ttl=10s")?;
    locker.ping()?;
    block_on(locker.ping_async())?;

    let lock = locker
        .lock("job")
        .ttl(Duration::from_secs(5))
        .wait(Duration::from_secs(1))
        .retry(Duration::from_millis(20))
        .renew(true)
        .release_on_drop(true);
    let guard: Guard = lock.acquire()?;
    assert_eq!(guard.key(), "app:job");
    assert!(guard.is_held() && guard.remaining() <= Duration::from_secs(5));
    guard.check()?;
    let (owner, token): (lock::Owner, lock::FencingToken) = (guard.owner(), guard.fencing_token());
    println!("{owner} holds {} under token {token}", guard.key());

    assert!(lock.is_locked()?);
    assert!(lock.try_acquire()?.is_none());
    let held = locker.lock("job").blocking(false).acquire();
    assert!(held.is_err_and(|error| error.is_locked() && error.key() == Some("app:job")));
    let holder = lock.holder()?.ok_or("nobody")?;
    assert_eq!((&holder.key, &holder.owner), (&"app:job".into(), &owner));
    let (host, pid, since, left) = (&holder.host, holder.pid, holder.acquired_at, holder.expires_in);
    println!("{holder} ({host:?} {pid:?} {since:?} {left:?} {:?})", holder.fencing_token);
    assert_eq!(locker.held()?.len(), 1);

    guard.extend(Duration::from_secs(8))?;
    guard.release()?;
    guard.release()?;
    assert!(!lock.is_locked()?);

    let kept = lock.acquire()?.into_owner();
    let adopted = lock.adopt(kept)?;
    assert!(lock.force_release()?);
    assert!(matches!(adopted.release(), Err(Error::Lost { .. })));

    assert!(lock.with(Guard::is_held)?);
    block_on(asynchronous(&lock))
}

async fn asynchronous(lock: &lock::Lock) -> Result<(), AppError> {
    let guard = lock.acquire_async().await?;
    assert!(lock.try_acquire_async().await?.is_none());
    assert!(lock.is_locked_async().await?);
    guard.extend_async(Duration::from_secs(8)).await?;
    guard.release_async().await?;
    let token = lock.with_async(async |guard| guard.fencing_token()).await?;
    println!("token {token}");
    Ok(())
}
