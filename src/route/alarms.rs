//! Alarms that judge a deployment: one that goes off while it goes forward rolls it back. What each of them
//! showed is memory of this process, and may be lost.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::{Trouble, View};
use crate::event::Cause;
use crate::model::world::Alarm;
use crate::record::Reason;

/// Nobody goes on for longer without the judges that were asked for.
const UNREAD_MAX: Duration = Duration::from_secs(10 * 60);

/// What the alarms showed.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    seen: BTreeMap<String, Seen>,
    /// Since when they cannot be read.
    unread_since: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// One that was on before the deployment is no judge of it until it was off once: a fix must be
    /// deployable.
    armed: bool,
    fires: bool,
}

impl Alarms {
    /// Takes in an answer. `fresh`: this process began the deployment.
    pub fn see(&mut self, alarms: &[Alarm], fresh: bool) {
        self.unread_since = None;
        for Alarm { name, fires } in alarms {
            let fires = *fires;
            let first = Seen { armed: !fires || !fresh, fires };
            let seen = self.seen.entry(name.clone()).or_insert(first);
            *seen = Seen { armed: seen.armed || !fires, fires };
        }
    }

    /// They could not be read. Whether that is news.
    pub fn unread(&mut self, now: SystemTime) -> bool {
        let news = self.unread_since.is_none();
        self.unread_since.get_or_insert(now);
        news
    }

    /// The first one that goes off and counts.
    pub fn firing(&self) -> Option<&str> {
        self.seen.iter().find(|(_, seen)| seen.armed && seen.fires).map(|(name, _)| name.as_str())
    }
}

/// What the alarms say against going on.
pub(super) fn trouble(view: &View<'_>) -> Option<Trouble> {
    let alarms = &view.watch.alarms;
    if let Some(alarm) = alarms.firing() {
        let cause = Cause::Alarm { alarm: alarm.to_owned() };
        return Some(Trouble { reason: Reason::Alarm, cause });
    }
    let since = alarms.unread_since.filter(|since| view.since(*since) >= UNREAD_MAX)?;
    let unread = view.since(since);
    Some(Trouble { reason: Reason::Alarm, cause: Cause::AlarmsUnread { unread } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(fires: bool) -> [Alarm; 1] {
        [Alarm { name: "errors".to_owned(), fires }]
    }

    #[test]
    fn an_alarm_that_was_on_before_counts_once_it_was_off() {
        let mut alarms = Alarms::default();
        for (fires, counts) in [(true, false), (true, false), (false, false), (true, true)] {
            alarms.see(&alarm(fires), true);
            assert_eq!(alarms.firing().is_some(), counts);
        }
        alarms.see(&alarm(false), true);
        assert_eq!(alarms.firing(), None);
    }

    #[test]
    fn that_alarms_cannot_be_read_is_news_once() {
        let (mut alarms, now) = (Alarms::default(), SystemTime::UNIX_EPOCH);
        assert!(alarms.unread(now));
        assert!(!alarms.unread(now + Duration::from_secs(9)));
        assert_eq!(alarms.unread_since, Some(now));
        alarms.see(&alarm(false), true);
        assert!(alarms.unread(now));
    }

    #[test]
    fn a_process_that_takes_a_deployment_over_counts_what_is_on() {
        let mut alarms = Alarms::default();
        alarms.see(&alarm(true), false);
        assert_eq!(alarms.firing(), Some("errors"));
    }
}
