//! What differs between the engines: a row for each. A new engine is a file, its row, and its words.

use super::{Action, Next, Step, View, listener, native, rolling};
use std::time::Duration;

use crate::call::Call;
use crate::event::{Cause, Kind, WaitReason};
use crate::model::reads::Part;
use crate::model::world::{Look, World};
use crate::request::EngineName;

/// How an engine deploys.
pub struct Engine {
    /// Its name.
    pub name: EngineName,
    /// The way forward.
    pub forward: &'static [Step],
    /// The way back.
    pub back: &'static [Step],
    /// What must be done before another deployment takes over on the way back.
    pub overtaken: &'static [Step],
    /// What can end or turn a deployment whatever step it is in.
    pub first: fn(&View<'_>) -> Option<Next>,
    /// Who else put the service on another revision.
    pub superseded: fn(&View<'_>) -> Option<Cause>,
    /// What the new revision still lacks.
    pub lacks: fn(&View<'_>) -> Option<WaitReason>,
    /// How far it has come: rises as long as things get better.
    pub progress: fn(&View<'_>) -> usize,
    /// How much of the world must have been looked at for a change.
    pub needs: fn(&Action) -> Look,
    /// All there is to look at.
    pub widest: Look,
    /// The parts that every look of a kind takes in.
    pub parts: fn(Look) -> Vec<Part>,
    /// What a look takes in beside them.
    pub reads: fn(&View<'_>, &Occasion) -> Vec<Part>,
    /// Reads that it can do without, where they are denied.
    pub optional: &'static [Call],
    /// Takes out of a survey what it says too little about.
    pub begin: fn(&mut World),
    /// A survey that began longer ago is no ground for the first change.
    pub young: Duration,
    /// The first look after a change comes this soon.
    pub first_look: Duration,
    /// Whether what a look saw calls for another one at once.
    pub looks_again: fn(&View<'_>) -> bool,
    /// What is told once, as soon as it is so.
    pub news: fn(&View<'_>) -> Option<Kind>,
    /// Who put the old side on another revision before the way back had ended, where somebody did.
    pub replaced: fn(&View<'_>) -> Option<Cause>,
    /// Whether the new version has all the traffic, and whether the old one is being stopped.
    pub serves_alone: fn(&View<'_>) -> (bool, bool),
    /// Whether nothing but time was left to pass for the new version, as far as the record and one look tell.
    pub taken_over: fn(&View<'_>) -> bool,
    /// The share of the traffic in percent at which gates judge the new version now.
    pub judged: fn(&View<'_>) -> Option<u8>,
    /// The share of the traffic that the new version has, where that is ours to say.
    pub share: fn(&View<'_>) -> Option<u8>,
    /// Whether the new version has users' traffic, and less to answer it with than its service is to have at least.
    pub is_short: fn(&View<'_>) -> bool,
}

/// Why somebody looks.
pub struct Occasion {
    /// How much is to be seen.
    pub look: Look,
    /// Tasks stopped, and why is not known.
    pub unexplained: bool,
    /// How long ago targets were looked at.
    pub since_targets: Duration,
    /// How long ago anything was.
    pub since_look: Duration,
}

/// The row of an engine.
pub fn engine(name: EngineName) -> &'static Engine {
    match name {
        EngineName::Listener => &listener::ENGINE,
        EngineName::Rolling => &rolling::ENGINE,
        EngineName::Native => &native::ENGINE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_has_a_row_of_its_own() {
        for name in EngineName::ALL {
            assert_eq!(engine(name).name, name);
        }
    }
}
