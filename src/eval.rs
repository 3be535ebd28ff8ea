//! How good the parts are, over data that comes with the right answers. What it prints can be scored again by anyone.

pub mod intents;
pub mod purchase;

/// Told what is being done, and how much of how much is done.
pub type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Sync);
