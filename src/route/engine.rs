//! What differs between the engines: a row for each. A new engine is a file, its row, and its words.

use super::{Action, Next, Step, View, listener, rolling};
use crate::event::{Cause, WaitReason};
use crate::model::world::Look;
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
    /// Whether the new version has all the traffic, and whether the old one is being stopped.
    pub serves_alone: fn(&View<'_>) -> (bool, bool),
    /// The share of the traffic that the new version has, where that is ours to say.
    pub share: fn(&View<'_>) -> Option<u8>,
}

/// Every engine.
const ENGINES: [&Engine; 2] = [&listener::ENGINE, &rolling::ENGINE];

/// The row of an engine.
pub fn engine(name: EngineName) -> &'static Engine {
    ENGINES.into_iter().find(|engine| engine.name == name).unwrap_or(&listener::ENGINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_has_a_row_of_its_own() {
        for name in [EngineName::Listener, EngineName::Rolling] {
            assert_eq!(engine(name).name, name);
        }
    }
}
