//! From meaning to tokens.

pub(crate) mod block;
mod boxed;
mod derive;
mod function;
mod key;
mod request;
mod unheld;

pub(crate) use self::block::{Block, block};
pub(crate) use self::derive::derive;
pub(crate) use self::function::function;
