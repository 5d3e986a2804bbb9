//! The world as it was, for reads that lag behind: kept only while somebody asked for it. It is an undo
//! log: what stood before each change, and when the change was.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::{clock::Time, state::Region};

type Regions = BTreeMap<String, Region>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    window: Duration,
    /// Until when the regions were as they are here, oldest first.
    states: VecDeque<(Time, Regions)>,
}

impl Past {
    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    pub(crate) fn remember(&mut self, window: Duration) {
        self.window = window;
        if window.is_zero() {
            self.states.clear();
        }
    }

    /// Something may change at `at`; changes at one moment are one.
    pub(crate) fn keep(&mut self, at: Time, regions: &Regions) {
        if !self.window.is_zero() && self.states.back().is_none_or(|(until, _)| *until < at) {
            self.states.push_back((at, regions.clone()));
        }
    }

    /// Forgets what nobody can ask for any more.
    pub(crate) fn trim(&mut self, now: Time) {
        while self.states.front().is_some_and(|(until, _)| now - *until >= self.window) {
            self.states.pop_front();
        }
    }

    /// How the regions were at a moment; `None`: as they are.
    pub(crate) fn at(&self, moment: Time) -> Option<&Regions> {
        self.states.iter().find(|(until, _)| *until > moment).map(|(_, regions)| regions)
    }
}
