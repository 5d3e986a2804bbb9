//! Carries out what a command asks for. Emits events and returns how it ended; it never prints.

mod adopt;
pub mod deploy;
pub mod doctor;
pub mod ecr;
mod ended;
pub mod history;
mod last_words;
pub mod look;
pub mod policy;
pub mod prune;
pub mod register;
mod retire;
pub mod run;
pub mod setup;
pub mod status;
pub mod sweep;
pub mod verbs;

pub use self::ended::running;
