//! Whether a record counts. Tags are input from strangers: whoever may tag a task definition can write
//! a record. One counts only if everything that it names is ours to change, and its numbers bind
//! only the process that wrote them. Pure.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::Survey;
use crate::event::refusal::Doubt;
use crate::event::{Number, Objection};
use crate::model::arn::{family, number, short};
use crate::model::revision::Revision;
use crate::model::world::{Rule, Service, World};
use crate::record::{Asked, Change, Record};
use crate::request::Scale;

/// A record is written with the revision that carries it: later ones are copies.
const REGISTERED_WITHIN: Duration = Duration::from_secs(600);

/// ECS's range of `maximumPercent` that a stranger's record may ask for.
const MAX_PERCENT: std::ops::RangeInclusive<u32> = 100..=200;

/// Whether a record of this service counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Trusted,
    /// It does not, and why.
    Ignored(Objection),
}

/// A number of a record that is not followed as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Which number.
    pub number: Number,
    /// The record asks for more tasks than a newcomer may start.
    pub is_excess: bool,
}

/// What bounds the numbers of a record for a process that did not write it.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// The greatest maximum of the services' scalable targets.
    pub scalable: u32,
    /// What the user asks for now: the user's own word needs no bound.
    pub asked: Scale,
}

impl Bounds {
    /// Those that a survey and the user's own request give.
    pub fn of(survey: &Survey, asked: Scale) -> Self {
        let most = survey.world.scalable.iter().flatten().map(|target| target.max).max();
        Self { scalable: most.unwrap_or(0), asked }
    }

    /// The record as a newcomer may follow it, and what it may not follow.
    pub fn limit(&self, record: Record, world: &World) -> (Record, Vec<Limited>) {
        let mut limited = Vec::new();
        let sides = [&record.blue, &record.green].map(|name| world.service(name));
        let sides: Vec<&Service> = sides.into_iter().flatten().collect();
        let deployments = sides.iter().flat_map(|side| &side.deployments).map(|one| one.desired);
        let present = sides.iter().map(|side| side.desired);
        let most = present.chain(deployments).max().unwrap_or(0).max(self.scalable);
        let most = most.max(self.asked.count.unwrap_or(0));
        let count = record.count.min(most);
        if count != record.count {
            let (service, recorded) = (record.green.clone(), record.count);
            let number = Number { setting: "tasks", service, recorded, used: count };
            limited.push(Limited { number, is_excess: true });
        }
        let service = world.service(&record.green);
        let asked = match service {
            Some(service) => self.limit_asked(record.asked, service, most, &mut limited),
            None => Asked::default(),
        };
        (Record { count, asked, ..record }, limited)
    }

    fn limit_asked(
        &self,
        asked: Asked,
        service: &Service,
        most: u32,
        limited: &mut Vec<Limited>,
    ) -> Asked {
        let mut count = |recorded: u32| {
            // Nothing goes to 0 unless it is there, or the user says so now.
            let used = match self.asked.count == Some(recorded) {
                true => recorded,
                false => recorded.clamp(service.desired, most.max(service.desired)),
            };
            if used != recorded {
                let service = service.name.clone();
                let number = Number { setting: "desiredCount", service, recorded, used };
                limited.push(Limited { number, is_excess: recorded > used });
            }
            used
        };
        let counts = asked.count.map(|own| Change { to: count(own.to), from: count(own.from) });
        let fine = |change: Option<Change>, says: Option<u32>, allowed: &dyn Fn(u32) -> bool| {
            let one = |percent| says == Some(percent) || allowed(percent);
            change.is_none_or(|own| one(own.to) && one(own.from))
        };
        let least = service.min_healthy_percent;
        let holds = fine(asked.min_healthy, self.asked.min_healthy, &|own| {
            (least..=100.max(least)).contains(&own)
        }) && fine(asked.max_percent, self.asked.max_percent, &|own| {
            MAX_PERCENT.contains(&own) || own == service.max_percent
        });
        if holds {
            return Asked { count: counts, ..asked };
        }
        // One without the other could leave ECS no room to start or stop a task.
        let percents = [
            ("minimumHealthyPercent", asked.min_healthy, least),
            ("maximumPercent", asked.max_percent, service.max_percent),
        ];
        for (setting, change, used) in percents {
            let Some(recorded) = change.map(|own| own.from) else { continue };
            let number = Number { setting, service: service.name.clone(), recorded, used };
            limited.push(Limited { number, is_excess: false });
        }
        Asked { count: counts, min_healthy: None, max_percent: None }
    }
}

/// Whether `record`, which is in the tags of `carrier`, counts.
pub fn judge(survey: &Survey, carrier: &Revision, record: &Record) -> Verdict {
    match objection(survey, carrier, record) {
        None => Verdict::Trusted,
        Some(why) => Verdict::Ignored(why),
    }
}

/// Whether the record in the tags of `carrier` is that of an earlier deployment of the services of `ours`,
/// as far as it can be told without a survey.
pub fn is_of_the_same_pair(
    carrier: &Revision,
    record: &Record,
    ours: &Record,
    now: SystemTime,
) -> bool {
    let pair = [&ours.blue, &ours.green];
    record.cluster == ours.cluster
        && pair.contains(&&record.blue)
        && pair.contains(&&record.green)
        && record.revision == carrier.arn
        && is_of_its_time(carrier.registered, record.start, now)
}

/// Why a twin that only a tag names does not count, where it does not: both services must carry the
/// tag, and one rule must hold target groups of both.
pub fn doubt(survey: &Survey) -> Option<(String, Doubt)> {
    let named = survey.twin.clone()?;
    let (service, twin) = (survey.world.service(&survey.service)?, survey.world.service(&named));
    let Some(twin) = twin else { return Some((named, Doubt::NoService)) };
    if twin.tags.get("ecs-bg:twin") != Some(&survey.service) {
        return Some((named, Doubt::NotMutual));
    }
    let holds = |rule: &Rule, side: &Service| {
        let weights = rule.weights();
        side.attachments.iter().any(|own| weights.iter().any(|(group, _)| *group == own.group))
    };
    let both = |rule: &Rule| holds(rule, service) && holds(rule, twin);
    // What may not be read is refused where it is needed.
    let is_certain = survey.blind.is_some() || survey.world.rules.values().any(both);
    (!is_certain).then_some((named, Doubt::NoSharedRule))
}

/// ARNs of revisions that records name and that no survey reads by itself.
pub fn unread(survey: &Survey) -> BTreeSet<String> {
    let mut unread = BTreeSet::new();
    for (carrier, record) in survey.written() {
        let Ok(record) = record else { continue };
        for arn in [&record.from, &record.was] {
            let is_wanted = family(arn) == carrier.family() && is_earlier(arn, carrier);
            if is_wanted && survey.matters(&record) && !survey.revisions.contains_key(arn) {
                unread.insert(arn.clone());
            }
        }
    }
    unread
}

/// Whether ECS's history decides: a record names another family.
pub fn needs_history(survey: &Survey) -> bool {
    survey.written().into_iter().any(|(carrier, record)| {
        let Ok(record) = record else { return false };
        let mut named = [&record.from, &record.was].into_iter();
        survey.matters(&record) && named.any(|arn| family(arn) != carrier.family())
    })
}

fn objection(survey: &Survey, carrier: &Revision, record: &Record) -> Option<Objection> {
    let ours = [Some(survey.service.as_str()), survey.twin.as_deref()];
    let stranger =
        [&record.blue, &record.green].into_iter().find(|name| !ours.contains(&Some(name.as_str())));
    if let Some(stranger) = stranger {
        let (stranger, service) = (stranger.clone(), survey.service.clone());
        return Some(Objection::Stranger { stranger, service });
    }
    if record.cluster != survey.cluster_name() {
        return Some(Objection::OtherCluster { cluster: record.cluster.clone() });
    }
    if record.revision != carrier.arn {
        return Some(Objection::OtherRevision { revision: record.name().to_owned() });
    }
    if !is_of_its_time(carrier.registered, record.start, survey.world.at) {
        return Some(Objection::Copied);
    }
    from(survey, carrier, record).or_else(|| was(survey, carrier, record))
}

fn is_of_its_time(registered: Option<SystemTime>, start: SystemTime, now: SystemTime) -> bool {
    let near = |one: SystemTime, other: SystemTime| {
        let apart = one.duration_since(other).or_else(|_| other.duration_since(one));
        apart.is_ok_and(|apart| apart <= REGISTERED_WITHIN)
    };
    match registered {
        Some(registered) => near(registered, start),
        // An answer without it: a time that is yet to come is none.
        None => start <= now + REGISTERED_WITHIN,
    }
}

/// What is wrong with the way back. A copy of an INACTIVE revision was registered before its carrier,
/// so it is lower-numbered too.
fn from(survey: &Survey, carrier: &Revision, record: &Record) -> Option<Objection> {
    let arn = &record.from;
    let revision = || short(arn).to_owned();
    let is_known = is_known(survey, arn);
    if family(arn) != carrier.family() {
        // What ECS itself says of the services decides.
        return (!is_known || !self::is_known(survey, &carrier.arn))
            .then(|| Objection::BackToOtherFamily { revision: revision() });
    }
    if !is_earlier(arn, carrier) {
        return Some(Objection::BackToNotOlder { revision: revision() });
    }
    if is_known {
        return None;
    }
    match survey.revisions.get(arn) {
        None => Some(Objection::BackToUnreadable { revision: revision() }),
        Some(known) => (!is_alike(known, carrier))
            .then(|| Objection::BackToOtherContainers { revision: revision() }),
    }
}

/// What is wrong with the revision that green had before.
fn was(survey: &Survey, carrier: &Revision, record: &Record) -> Option<Objection> {
    let arn = &record.was;
    let revision = || short(arn).to_owned();
    let is_restart = *arn == carrier.arn && record.twin().is_none();
    if is_restart || is_known(survey, arn) {
        return None;
    }
    if family(arn) != carrier.family() {
        let green = survey.world.service(&record.green);
        let shown = green.into_iter().flat_map(|green| {
            green.deployments.iter().map(|one| &one.revision).chain([&green.revision])
        });
        return (!shown.into_iter().any(|shown| family(shown) == family(arn))).then(|| {
            let (revision, service) = (revision(), record.green.clone());
            Objection::BeforeOfOtherFamily { revision, service }
        });
    }
    if !is_earlier(arn, carrier) {
        return Some(Objection::BeforeNotOlder { revision: revision() });
    }
    // One that is gone is nothing that anybody goes back to.
    let differs = survey.revisions.get(arn).is_some_and(|known| !is_alike(known, carrier));
    differs.then(|| Objection::BeforeOtherContainers { revision: revision() })
}

/// Whether ECS itself says that a service of the pair ran or was to run this revision.
fn is_known(survey: &Survey, arn: &str) -> bool {
    let runs = survey.world.services.values().any(|service| {
        service.revision == arn || service.deployments.iter().any(|one| one.revision == arn)
    });
    runs || survey.given_up.iter().chain(&survey.history).any(|known| known == arn)
}

fn is_earlier(arn: &str, carrier: &Revision) -> bool {
    number(arn).zip(number(&carrier.arn)).is_some_and(|(one, other)| one < other)
}

/// The same containers, by name.
fn is_alike(one: &Revision, other: &Revision) -> bool {
    let names = |revision: &Revision| -> BTreeSet<String> {
        revision.containers.iter().map(|(name, _)| name.clone()).collect()
    };
    names(one) == names(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{ACCOUNT, named, revision, survey};
    use crate::record::tests::at;
    use crate::route::tests::world;

    fn why(change: impl FnOnce(&mut Survey, &mut Record, &mut Revision)) -> Option<Objection> {
        let mut record = named("web:43");
        let mut survey = survey(&[revision("web:43", None), revision("web:42", None)]);
        let mut carrier = revision("web:43", None);
        change(&mut survey, &mut record, &mut carrier);
        match judge(&survey, &carrier, &record) {
            Verdict::Trusted => None,
            Verdict::Ignored(why) => Some(why),
        }
    }

    fn arn(name: &str) -> String {
        format!("{ACCOUNT}/{name}")
    }

    #[test]
    fn an_honest_record_counts() {
        assert_eq!(why(|_, _, _| {}), None);
        assert_eq!(why(|_, record, _| record.was = arn("web:1")), None, "one that is gone");
        assert_eq!(why(|_, _, carrier| carrier.registered = None), None);
    }

    #[test]
    fn only_the_named_pair_in_this_cluster_counts() {
        let told = why(|_, record, _| record.green = "billing".into()).expect("ignored");
        let (stranger, service) = ("billing".into(), "web".into());
        assert_eq!(told, Objection::Stranger { stranger, service });
        assert!(why(|_, record, _| record.blue = "billing".into()).is_some());
        assert!(why(|survey, _, _| survey.twin = None).is_some());
        assert!(why(|_, record, _| record.cluster = "bazaar".into()).is_some());
    }

    #[test]
    fn a_copy_does_not_count() {
        for (seconds, counts) in [(0, true), (600, true), (601, false)] {
            assert_eq!(why(|_, record, _| record.start = at(seconds)).is_none(), counts);
            assert_eq!(why(|_, _, own| own.registered = Some(at(seconds))).is_none(), counts);
        }
        assert!(why(|_, record, _| record.revision = arn("web:44")).is_some());
        let late = |survey: &Survey| survey.world.at + REGISTERED_WITHIN;
        assert_eq!(why(|s, r, own| (own.registered, r.start) = (None, late(s))), None);
        let later = |survey: &Survey| late(survey) + Duration::from_secs(1);
        assert!(why(|s, r, own| (own.registered, r.start) = (None, later(s))).is_some());
    }

    #[test]
    fn the_way_back_is_older_and_of_the_family() {
        for name in ["web:43", "web:44", "web:0", "web:x"] {
            assert!(why(|_, record, _| record.from = arn(name)).is_some(), "{name}");
            assert!(name == "web:0" || why(|_, record, _| record.was = arn(name)).is_some());
        }
        let other = |survey: &mut Survey, name: &str| {
            let mut one = revision(name, None);
            one.containers[0].0 = "other".into();
            survey.revisions.insert(one.arn.clone(), one);
        };
        let old = |s: &mut Survey, r: &mut Record| {
            other(s, "web:9");
            r.from = arn("web:9");
        };
        assert!(why(|survey, record, _| old(survey, record)).is_some(), "other containers");
        let known = |survey: &mut Survey| survey.history = vec![arn("web:9")];
        let told = why(|survey, record, _| (old(survey, record), known(survey)).1);
        assert_eq!(told, None, "ECS says that the service ran it");
        assert!(
            why(|survey, record, _| (other(survey, "web:9"), record.was = arn("web:9")).1)
                .is_some()
        );
    }

    #[test]
    fn another_family_counts_only_where_ecs_says_so() {
        assert!(why(|_, record, _| record.from = arn("evil:1")).is_some());
        assert!(why(|_, record, _| record.was = arn("evil:1")).is_some());
        let told = why(|survey, record, _| {
            record.from = arn("evil:1");
            survey.history = vec![arn("evil:1")];
        });
        assert!(told.is_some(), "the carrier is not known either");
        let told = why(|survey, record, _| {
            record.from = arn("evil:1");
            record.was = arn("evil:1");
            survey.history = vec![arn("evil:1"), arn("web:43")];
        });
        assert_eq!(told, None);
    }

    fn limited(
        bounds: &Bounds,
        change: impl FnOnce(&mut Record, &mut World),
    ) -> (Record, Vec<(u32, u32)>) {
        let (mut record, mut world) = (named("web:43"), world());
        record.green = "web".into();
        change(&mut record, &mut world);
        let (record, limited) = bounds.limit(record, &world);
        (record, limited.into_iter().map(|one| (one.number.recorded, one.number.used)).collect())
    }

    #[test]
    fn no_number_of_a_stranger_is_above_what_is_there_or_below_it() {
        let none = Bounds::default();
        let count = |to, from| Some(Change { to, from });
        let asks = |to, from| move |r: &mut Record, _: &mut World| r.asked.count = count(to, from);
        let (record, told) = limited(&none, |_, _| {});
        assert_eq!((record.count, told), (2, vec![]));
        let (record, told) = limited(&none, |record, _| record.count = 4000);
        assert_eq!((record.count, told), (2, vec![(4000, 2)]));
        let (record, told) = limited(&none, asks(2, 0));
        assert_eq!((record.asked.count, told), (count(2, 2), vec![(0, 2)]));
        let (record, told) = limited(&none, asks(4000, 4000));
        assert_eq!((record.asked.count, told), (count(2, 2), vec![(4000, 2), (4000, 2)]));
        let scaled = Bounds { scalable: 8, ..Bounds::default() };
        let (record, told) = limited(&scaled, asks(8, 9));
        assert_eq!((record.asked.count, told), (count(8, 8), vec![(9, 8)]));
        let word = Bounds { asked: Scale { count: Some(0), ..Scale::default() }, scalable: 0 };
        let (record, told) = limited(&word, asks(0, 2));
        assert_eq!((record.asked.count, told), (count(0, 2), vec![]), "the user's own word");
        let parked = |record: &mut Record, world: &mut World| {
            let service = world.services.get_mut("arn:web").expect("a service");
            (service.desired, service.deployments[0].desired) = (0, 0);
            record.asked.count = count(2, 0);
        };
        let (record, _) = limited(&none, parked);
        assert_eq!(record.asked.count.map(|own| own.from), Some(0), "it is parked at 0");
    }

    #[test]
    fn no_percent_of_a_stranger_takes_healthy_tasks() {
        let none = Bounds::default();
        let percents = |min: (u32, u32), max: (u32, u32)| {
            let change = |(to, from)| Some(Change { to, from });
            let (record, _) = limited(&none, move |record, _| {
                record.asked.min_healthy = change(min);
                record.asked.max_percent = change(max);
            });
            record.asked.min_healthy.is_some() && record.asked.max_percent.is_some()
        };
        assert!(percents((100, 100), (150, 200)));
        assert!(!percents((100, 0), (150, 200)));
        assert!(!percents((101, 100), (150, 200)));
        assert!(!percents((100, 100), (201, 200)));
        assert!(!percents((100, 100), (99, 200)));
    }
}
