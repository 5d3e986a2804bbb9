//! Which record counts, and for whom.

use super::*;
use crate::event::{Cause, EngineReason, Unchecked};
use crate::model::world::ServiceEvent;
use crate::record::End;
use crate::record::tests::{at, record};
use crate::record::{Closed, Reason};
use crate::route::tests::world;

pub(super) const ACCOUNT: &str = "arn:aws:ecs:eu-central-1:123456789012:task-definition";

pub(super) fn revision(name: &str, record: Option<&Record>) -> Revision {
    Revision {
        arn: format!("{ACCOUNT}/{name}"),
        name: name.into(),
        active: true,
        containers: vec![("web".into(), "shop/web:1".into())],
        ports: vec![],
        has_cpu: true,
        has_memory: true,
        registered: Some(at(0)),
        tags: record.and_then(|record| record.to_tags(&BTreeMap::new())).unwrap_or_default(),
        raw: String::new(),
    }
}

/// `web` with its twin; each revision is known, and the newest first.
pub(super) fn survey(revisions: &[Revision]) -> Survey {
    Survey {
        cluster: "arn:aws:ecs:eu-central-1:123456789012:cluster/shop".into(),
        service: "web".into(),
        twin: Some("web-green".into()),
        doubted: None,
        candidate: None,
        world: world(),
        revisions: revisions.iter().map(|one| (one.arn.clone(), one.clone())).collect(),
        given_up: vec![],
        history: ["web:1", "old:7"].map(|name| format!("{ACCOUNT}/{name}")).into(),
        newest: revisions.iter().map(|one| one.arn.clone()).collect(),
        policies: None,
        way_back: BTreeMap::new(),
        alarms: vec![],
        test_listener: None,
        unready: vec![],
        blind: None,
        ran: BTreeMap::new(),
        unused: vec![],
        rule_counts: BTreeMap::new(),
        rules_unread: None,
        instances: None,
        expires: None,
    }
}

pub(super) fn named(name: &str) -> Record {
    // Its way back is older than it is.
    let from = if name == "web:42" { "web:1" } else { "web:42" };
    let [revision, from] = [name, from].map(|name| format!("{ACCOUNT}/{name}"));
    Record { id: name.into(), revision, from, ..record() }
}

fn closed(record: Record, end: End) -> Record {
    Record { closed: Some(Closed { end, at: at(9) }), ..record }
}

fn open(survey: &Survey) -> Option<Result<String, ()>> {
    survey.open_record().map(|found| found.map(|record| record.id).map_err(|_| ()))
}

#[test]
fn an_open_record_is_found_wherever_it_is_and_what_runs_comes_first() {
    let [run, gone, newest] = ["web:42", "web:43", "web:44"].map(named);
    let mut all = survey(&[
        revision("web:44", Some(&newest)),
        revision("web:43", Some(&gone)),
        revision("web:42", Some(&run)),
    ]);
    all.newest.truncate(1);
    assert_eq!(open(&all), Some(Ok("web:42".into())));
    all.revisions.insert(run.revision.clone(), revision("web:42", None));
    assert_eq!(open(&all), Some(Ok("web:44".into())));
    all.given_up = vec![gone.revision.clone()];
    assert_eq!(open(&all), Some(Ok("web:43".into())));
    assert_eq!(open(&survey(&[revision("web:44", None)])), None);
}

#[test]
fn what_is_closed_on_one_of_two_revisions_is_closed() {
    let one = named("web:43");
    let copy = closed(Record { revision: format!("{ACCOUNT}/web:44"), ..one.clone() }, End::Live);
    let other = named("web:45");
    let both = [revision("web:43", Some(&one)), revision("web:44", Some(&copy))];
    assert_eq!(open(&survey(&both)), None);
    assert_eq!(open(&survey(&both[..1])), Some(Ok("web:43".into())));
    let three = [both[0].clone(), both[1].clone(), revision("web:45", Some(&other))];
    assert_eq!(open(&survey(&three)), Some(Ok("web:45".into())));
}

#[test]
fn what_somebody_else_took_the_place_of_is_over_once_its_owner_is_dead() {
    let found = |green: &str, silent: u64, event: Option<&str>| {
        let seen = world().at - Duration::from_secs(silent);
        let record = Record { seen, start: seen, ..named("web:43") };
        let mut survey = survey(&[revision("web:43", Some(&record))]);
        let service = survey.world.services.get_mut("arn:web-green").expect("a service");
        service.revision = format!("{ACCOUNT}/{green}");
        service.deployments[0].revision = service.revision.clone();
        let event = event.map(|message| ServiceEvent { at: seen, message: message.to_owned() });
        service.events.extend(event);
        let over = survey.overtaken().into_iter().map(|(record, by)| (record.id, by)).next();
        (open(&survey).is_some(), over)
    };
    let by = Cause::RevisionChanged { service: "web-green".into(), revision: "web:9".into() };
    assert_eq!(found("web:9", 180, None), (false, Some(("web:43".into(), by))));
    assert_eq!(found("web:9", 179, None), (true, None), "its owner lives");
    assert_eq!(found("web:43", 180, None), (true, None), "green is on its own revision");
    assert_eq!(found("old:7", 180, None), (true, None), "it was there before");
    let back = Some("(service web-green) rolling back to deployment ecs-svc/7.");
    assert_eq!(found("web:9", 180, back), (true, None), "ECS went back to it");
}

#[test]
fn what_is_over_makes_room_for_what_is_not() {
    let [first, later] = ["web:43", "web:44"].map(|name| {
        let seen = world().at - Duration::from_secs(180);
        Record { seen, ..named(name) }
    });
    let mut survey = survey(&[revision("web:44", Some(&later)), revision("web:43", Some(&first))]);
    let service = survey.world.services.get_mut("arn:web-green").expect("a service");
    service.revision = later.revision.clone();
    service.deployments[0].revision = later.revision;
    assert_eq!(open(&survey), Some(Ok("web:44".into())));
    let over: Vec<String> = survey.overtaken().into_iter().map(|(record, _)| record.id).collect();
    assert_eq!(over, ["web:43"]);
}

#[test]
fn a_record_that_cannot_be_read_counts_where_no_other_does() {
    let mut broken = revision("web:44", Some(&named("web:44")));
    broken.tags.insert("ecs-bg:state".into(), "heading=sideways".into());
    assert_eq!(open(&survey(&[broken.clone()])), Some(Err(())));
    let fine = revision("web:43", Some(&named("web:43")));
    assert_eq!(open(&survey(&[broken, fine])), Some(Ok("web:43".into())));
}

#[test]
fn a_deployment_of_either_service_in_this_cluster_is_in_the_way() {
    let in_the_way = |cluster: &str, blue: &str, green: &str, twin: Option<&str>| {
        let [cluster, blue, green] = [cluster, blue, green].map(str::to_owned);
        let record = Record { cluster, blue, green, ..named("web:43") };
        let mut survey = survey(&[revision("web:43", Some(&record))]);
        survey.twin = twin.map(str::to_owned);
        open(&survey).is_some()
    };
    let twin = Some("web-green");
    assert!(in_the_way("shop", "web", "web-green", twin));
    assert!(in_the_way("shop", "web-green", "web", twin));
    assert!(in_the_way("shop", "web", "web", None));
    assert!(in_the_way("shop", "web-green", "web-green", twin));
    // What names a third service is nobody's word but its writer's.
    assert!(!in_the_way("shop", "web", "other", twin));
    assert!(!in_the_way("shop", "other", "web-green", twin));
    assert!(!in_the_way("shop", "other", "another", twin));
    assert!(!in_the_way("shop", "other", "web-green", None));
    assert!(!in_the_way("bazaar", "web", "web-green", twin));
}

#[test]
fn what_went_live_in_a_service_is_told_by_the_record_on_what_it_runs() {
    let live = named("web:42");
    let on = |record: &Record| {
        let survey = survey(&[revision("web:42", Some(record))]);
        let service = survey.world.service("web").expect("a service");
        survey.closed_on(service).map(|record| record.id)
    };
    let here = Record { green: "web".into(), ..live.clone() };
    assert_eq!(on(&closed(here.clone(), End::Live)).as_deref(), Some("web:42"));
    assert_eq!(on(&closed(here.clone(), End::WentBack)), None);
    assert_eq!(on(&here), None);
    assert_eq!(on(&here.turned_back(Reason::Asked)), None);
    assert_eq!(on(&closed(live, End::Live)), None, "it went live in the other one");
}

fn request(more: impl FnOnce(&mut crate::request::Typed)) -> Request {
    let mut typed = crate::request::Typed {
        cluster: "shop".into(),
        service: "web".into(),
        images: vec!["shop/web:2".into()],
        shares: "100".into(),
        timeout: "15m".into(),
        ..Default::default()
    };
    more(&mut typed);
    Request::new(&typed).expect("a request")
}

#[test]
fn the_latest_is_the_newest_active_one_of_the_family_that_is_not_our_own_unfinished_one() {
    let latest = request(|typed| typed.edits.from = Base::Latest);
    let ours = Record { from: format!("{ACCOUNT}/web:42"), ..named("web:46") };
    let inactive = Revision { active: false, ..revision("web:45", None) };
    let all = [
        revision("other:9", None),
        revision("web:46", Some(&ours)),
        inactive,
        revision("web:44", Some(&closed(named("web:44"), End::WentBack))),
        revision("web:42", None),
    ];
    let base = |survey: &Survey| super::base(&latest, survey).map(|base| base.name);
    assert_eq!(base(&survey(&all)).ok().as_deref(), Some("web:44"));
    // With nothing under way, whatever is the newest; the live one says which family.
    let settled = survey(&[all[0].clone(), all[2].clone(), all[3].clone(), all[4].clone()]);
    assert_eq!(base(&settled).ok().as_deref(), Some("web:44"));
}

#[test]
fn what_an_image_is_decides_whether_it_is_the_same_request_and_not_its_name() {
    let plans = |text: &str, digest: &Digest, record: &Record| {
        let request = request(|typed| {
            typed.images = vec![text.into()];
            typed.engine =
                (record.blue == record.green).then_some(crate::request::EngineName::Rolling);
        });
        let survey = survey(&[revision("web:43", Some(record)), revision("web:42", None)]);
        let images = [("web".to_owned(), text.parse().expect("an image"))].into();
        let base = revision("web:42", None);
        let wanted = Wanted { base, images, edits: vec![], show_env: false };
        let digests = [("web".to_owned(), digest.clone())].into();
        let identity = Identity { deployment: "d".into(), owner: "o".into(), by: String::new() };
        match plan(&request, &survey, &wanted, &digests, &identity).expect("a decision") {
            Decision::Adopt(_) => "adopt",
            Decision::Unfinished(record) => {
                assert_eq!(record.revision, format!("{ACCOUNT}/web:43"));
                "unfinished"
            }
            decision => panic!("{decision:?}"),
        }
    };
    let known = |digest: &str| Digest::Known(format!("sha256:{digest}"));
    let resolved = [("web".to_owned(), "sha256:a".to_owned())].into();
    let pair = ["web", "web-green"];
    let same = Record { request: fingerprint("shop", pair, &resolved, &[]), ..named("web:43") };
    assert_eq!(plans("shop/web:2", &known("a"), &same), "adopt");
    assert_eq!(plans("shop/web:stable", &known("a"), &same), "adopt");
    assert_eq!(plans("shop/web:2", &known("b"), &same), "unfinished");
    assert_eq!(plans("shop/web:2", &Digest::Unknown(Unchecked::NotInEcr), &same), "unfinished");
    // Where ECS replaces the tasks of one service, its twin does not matter.
    let request = fingerprint("shop", ["web"; 2], &resolved, &[]);
    let one = Record { request, green: "web".into(), ..named("web:43") };
    assert_eq!(plans("shop/web:2", &known("a"), &one), "adopt");
}

#[test]
fn an_unfinished_deployment_stands_at_the_first_step_that_does_not_hold() {
    let standing = |change: fn(&mut Record, &mut World)| {
        let (mut record, mut world) = (record(), world());
        change(&mut record, &mut world);
        super::standing(&record, &world)
    };
    assert_eq!(standing(|_, _| {}), "launch");
    assert_eq!(standing(|record, _| *record = record.turned_back(Reason::Asked)), "close");
    assert_eq!(standing(|record, _| *record = closed(record.clone(), End::Live)), "close");
    assert_eq!(standing(|_, world| world.services.clear()), "check");
    let launched = |record: &mut Record, world: &mut World| {
        let green = world.services.get_mut("arn:web-green").expect("a service");
        (green.revision, green.desired) = (record.revision.clone(), 2);
        green.deployments[0].revision = record.revision.clone();
    };
    assert_eq!(standing(launched), "settle");
}

/// 255 letters (API reference of RegisterTaskDefinition): with its number that is more than a tag takes.
#[test]
fn the_longest_name_of_a_family_leaves_room_for_the_record() {
    let family = "f".repeat(255);
    let raw = format!(
        r#"{{"taskDefinition":{{"taskDefinitionArn":"{ACCOUNT}/{family}:42","family":"{family}",
            "containerDefinitions":[{{"name":"web","image":"shop/web:1"}}]}}}}"#
    );
    let base = Revision { raw, ..revision(&format!("{family}:42"), None) };
    let [from, was] = [(); 2].map(|()| base.arn.clone());
    let plan = Plan {
        record: Record { revision: String::new(), from, was, ..record() },
        why: EngineReason::Asked,
        way_back: None,
        base,
        changes: Changes::default(),
        outage: false,
        warnings: vec![],
        steps: vec![],
        diff: (String::new(), vec![]),
    };
    assert_eq!(plan.without_record(), None);
    let body = plan.registration(Tags::WithRecord).expect("a body");
    assert!(body.contains(r#"{"key":"ecs-bg:from","value":"42"}"#), "{body}");
}
