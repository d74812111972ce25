//! A session that is kept for the next question.

use std::sync::{Mutex, PoisonError};

/// One that is opened when it is first needed.
#[derive(Debug)]
pub(super) struct Kept<S>(Mutex<Option<S>>);

impl<S> Default for Kept<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Kept<S> {
    /// What is said to a question, by the session that is known or else by a new one.
    pub(super) fn ask(
        &self,
        open: impl FnOnce() -> S,
        question: impl Fn(&mut S) -> sqlx::Result<Vec<String>>,
    ) -> Vec<String> {
        let mut session = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The last one may have ended with a server that was killed.
        let said = session.take().and_then(|mut known| Some((question(&mut known).ok()?, known)));
        let (rows, known) = said.unwrap_or_else(|| {
            let mut new = open();
            (question(&mut new).unwrap(), new)
        });
        *session = Some(known);
        rows
    }
}
