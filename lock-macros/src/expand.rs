//! From meaning to tokens.

mod arguments;
pub(crate) mod block;
mod boxed;
mod derive;
mod function;
mod key;
mod location;
mod request;
#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;
mod unheld;

pub(crate) use self::block::block;
pub(crate) use self::derive::derive;
pub(crate) use self::function::function;
