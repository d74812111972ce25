//! Randomness for owner tokens, drawn from the operating system many tokens at a time: asking takes long.
//!
//! Two processes with one token could release each other's locks. A fork copies what was drawn, so a process draws its
//! own at its first token; and the clock is part of a token, as a process in another namespace may have the same number.

use std::sync::Mutex;

use crate::clock::Moment;

/// How many tokens are drawn at once.
const MANY: usize = 128;

struct Pool {
    /// Whose it is.
    process: u32,
    left: usize,
    bits: [u128; MANY],
}

static POOL: Mutex<Pool> = Mutex::new(Pool { process: 0, left: 0, bits: [0; MANY] });

/// 128 random bits, not given out before.
pub(crate) fn bits() -> Result<u128, getrandom::Error> {
    // A child that was forked while another thread had this locked would wait for ever.
    let drawn = match POOL.try_lock() {
        Ok(mut pool) => pool.draw(std::process::id())?,
        Err(_) => one()?,
    };
    Ok(drawn.wrapping_add(u128::from(Moment::now().as_nanos())))
}

impl Pool {
    fn draw(&mut self, process: u32) -> Result<u128, getrandom::Error> {
        if self.process != process || self.left == 0 {
            let mut bytes = [0; MANY * 16];
            // Nothing is left where this fails half way.
            self.left = 0;
            getrandom::fill(&mut bytes)?;
            for (bits, bytes) in self.bits.iter_mut().zip(bytes.as_chunks().0) {
                *bits = u128::from_be_bytes(*bytes);
            }
            (self.process, self.left) = (process, MANY);
        }
        self.left -= 1;
        Ok(self.bits[self.left])
    }
}

fn one() -> Result<u128, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes))
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn nothing_is_given_out_twice() {
        let some = || (0..10 * MANY).map(|_| bits().unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(some)).collect();
        let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        // All of the bits are random, not those alone that the clock has a part in.
        assert!(all.iter().fold(0, |any, bits| any | bits) == u128::MAX);
        assert!(all.iter().fold(u128::MAX, |every, bits| every & bits) == 0);
    }

    #[test]
    fn a_forked_child_draws_its_own() {
        let mut parents = Pool { process: 0, left: 0, bits: [0; MANY] };
        parents.draw(1).unwrap();
        let mut childs = Pool { bits: parents.bits, ..parents };
        let drawn: HashSet<_> = (0..2 * MANY).map(|_| childs.draw(2).unwrap()).collect();
        assert!((0..parents.left).all(|_| !drawn.contains(&parents.draw(1).unwrap())));
    }
}
