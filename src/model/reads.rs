//! The parts of a look, and when each was answered. A change rests on some of them: each must be young
//! enough, counted from its answer, not from when it was asked for.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// One part of a look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The services' counts and deployments.
    Services,
    /// And their settings.
    Settings,
    /// The rules, by ARN.
    Rules,
    /// The rules, found by listing every rule of the load balancers.
    Listing,
    /// The targets of a group, by its ARN.
    Health(String),
    /// The running tasks of a service, by its name.
    Tasks(String),
    /// And those that stopped, as long as ECS remembers them.
    Stopped(String),
    /// Which process the record names as its owner.
    Owner,
    /// The task that runs before anything serves.
    Prepare,
    /// ECS's own records of the service's deployments.
    Deployments,
    /// The services' scalable targets.
    Scaling,
}

/// When a part was answered, by three clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By this machine's monotonic clock, which stands still while the machine is suspended.
    pub mono: Duration,
    /// By this machine's wall clock, which somebody may set.
    pub wall: SystemTime,
    /// By AWS's clock (its `Date` header).
    pub aws: SystemTime,
    /// How long the answer took.
    pub took: Duration,
}

impl Moment {
    /// How much later `now` is, by whichever of this machine's clocks shows more.
    pub fn age(&self, now: &Self) -> Duration {
        let mono = now.mono.saturating_sub(self.mono);
        mono.max(now.wall.duration_since(self.wall).unwrap_or_default())
    }
}

impl Part {
    /// The part that an answer about this one answers as well.
    pub fn includes(&self) -> Option<Self> {
        match self {
            Self::Settings => Some(Self::Services),
            Self::Listing => Some(Self::Rules),
            Self::Stopped(service) => Some(Self::Tasks(service.clone())),
            _ => None,
        }
    }
}

/// When each part was answered last.
pub type Answered = BTreeMap<Part, Moment>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_old_as_the_clock_that_shows_more_says() {
        let at = |mono, wall| Moment {
            mono: Duration::from_secs(mono),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(wall),
            aws: SystemTime::UNIX_EPOCH,
            took: Duration::ZERO,
        };
        let age = |then: Moment, now: Moment| then.age(&now).as_secs();
        assert_eq!(age(at(5, 100), at(8, 103)), 3);
        assert_eq!(age(at(5, 100), at(5, 400)), 300, "the machine was suspended");
        assert_eq!(age(at(5, 100), at(9, 50)), 4, "somebody set the clock back");
    }
}
