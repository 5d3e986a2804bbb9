//! What a step sees: each quantity at both sides of its border.

use super::*;
use crate::render::words::wait;
use crate::route::group_pairs;

#[test]
fn pairs_are_found_by_container_and_port_and_only_where_that_is_certain() {
    let pairs = |more: Option<(&str, u16)>, protocol: &str| {
        let mut world = Model::new(&[(100, 0)]).world;
        let spare = Group { arn: "spare".into(), protocol: protocol.into(), ..group(BLUE) };
        world.groups.insert("spare".into(), spare);
        let green = world.services.get_mut(&format!("arn:{GREEN}")).expect("a service");
        let more = more.map(|(container, port)| Attachment {
            advanced: None,
            group: "spare".into(),
            container: container.into(),
            port,
        });
        green.attachments.extend(more);
        let [blue, green] = [BLUE, GREEN].map(|name| world.service(name).expect("a service"));
        group_pairs(&world, blue, green).into_iter().map(|pair| pair.green).collect::<Vec<_>>()
    };
    let own = [format!("group:{GREEN}")];
    assert_eq!(pairs(None, "HTTP"), own);
    assert_eq!(pairs(Some(("web", 81)), "HTTP"), own);
    assert_eq!(pairs(Some(("side", 80)), "HTTP"), own);
    assert_eq!(pairs(Some(("web", 80)), "TCP"), own);
    assert_eq!(pairs(Some(("web", 80)), "HTTP"), [""; 0]);
}

impl Model {
    /// What a change of this makes of a quantity.
    fn seen<T>(change: impl FnOnce(&mut Self), quantity: impl FnOnce(&View<'_>) -> T) -> T {
        let mut model = Self::with_share(50);
        change(&mut model);
        quantity(&model.view())
    }

    fn ours(&mut self) -> &mut Deployment {
        &mut self.side(GREEN).deployments[0]
    }
}

#[test]
fn the_groups_of_a_deleted_side_are_those_that_were_seen_last() {
    let mut model = Model::with_share(50);
    model.watch.see(&model.record, &model.world);
    let pairs = model.view().pairs();
    assert_eq!(pairs.len(), 1);
    model.world.services.remove(&format!("arn:{GREEN}"));
    assert_eq!(model.view().pairs(), pairs);
    model.world.services.remove(&format!("arn:{BLUE}"));
    assert_eq!(model.view().pairs(), []);
    let mut one = Model::with_share(50);
    one.record.green = BLUE.into();
    assert_eq!(one.view().pairs(), [], "one service is no pair");
}

fn event(seconds: u64, message: &str) -> crate::model::world::ServiceEvent {
    crate::model::world::ServiceEvent { at: at(seconds), message: message.into() }
}

#[test]
fn ecs_went_back_if_it_says_so_of_ours_or_since_the_beginning() {
    let failed =
        "(service web-green) (deployment ecs-svc/1) deployment failed: tasks failed to start.";
    let back = "(service web-green) rolling back to deployment ecs-svc/0.";
    let steady = "(service web-green) has reached a steady state.";
    for (seconds, message, told) in [
        (10, failed, true),
        (10, back, true),
        (10, steady, false),
        (9, failed, false),
        (9, back, false),
    ] {
        let change = |model: &mut Model| {
            model.record.start = at(10);
            model.side(GREEN).events = vec![event(seconds, message)];
        };
        assert_eq!(
            Model::seen(change, |view| view.ecs_went_back()),
            told,
            "{message} at {seconds}"
        );
    }
    let is_failed = |model: &mut Model| model.ours().rollout = Some("FAILED".into());
    assert!(Model::seen(is_failed, |view| view.ecs_went_back()));
    let is_another = |model: &mut Model| {
        is_failed(model);
        model.ours().revision = "arn:x/web:99".into();
    };
    assert!(!Model::seen(is_another, |view| view.ecs_went_back()));
}

#[test]
fn blue_counts_for_what_green_needs_until_every_rule_was_read_to_have_left_it() {
    let need = |share: u32, unread: bool| {
        let mut model = Model::with_share(share);
        model.side(BLUE).desired = 5;
        model.world.unread.extend(unread.then(|| "one".to_owned()));
        let view = model.view();
        (view.need(), view.writing(100).count)
    };
    assert_eq!(need(50, false), (5, 5));
    assert_eq!(need(100, true), (5, 5));
    assert_eq!(need(100, false), (2, 5));
}

#[test]
fn what_green_lacks_is_told_in_the_order_in_which_it_comes() {
    let lacks =
        |change: fn(&mut Model)| Model::seen(change, |view| view.unsettled().map(|why| wait(&why)));
    let told = |text: &str| Some(text.to_owned());
    let leaving = told("tasks of an earlier revision still run in web-green");
    assert_eq!(lacks(|_| {}), None);
    let other = |model: &mut Model| model.ours().revision = "arn:x/web:99".into();
    assert_eq!(lacks(other), told("waiting for web-green to be on web:43"));
    assert_eq!(lacks(|model| model.ours().running = 1), told("1/2 tasks running"));
    let pending = |model: &mut Model| model.ours().pending = 1;
    assert_eq!(lacks(pending), told("2/2 tasks running, 1 pending"));
    assert_eq!(lacks(|model| model.side(GREEN).pending = 1), leaving);
    assert_eq!(lacks(|model| model.side(GREEN).running = 3), leaving);
    let second = |model: &mut Model| {
        let one = model.ours().clone();
        model.side(GREEN).deployments.push(one);
    };
    assert_eq!(lacks(second), leaving);
    let armed = |model: &mut Model| model.side(GREEN).ecs_rolls_back = true;
    assert_eq!(lacks(armed), None);
    let incomplete = |model: &mut Model| model.ours().rollout = Some("IN_PROGRESS".into());
    assert_eq!(lacks(incomplete), None);
    let both = |model: &mut Model| {
        model.side(GREEN).ecs_rolls_back = true;
        model.ours().rollout = Some("IN_PROGRESS".into());
    };
    assert_eq!(
        lacks(both),
        told("waiting for ECS to complete the deployment of web-green: it can still roll back")
    );
    assert_eq!(
        lacks(|model| model.healthy_are(GREEN, 1)),
        told("1/2 targets of web-green healthy")
    );
    let more = |model: &mut Model| {
        model.side(GREEN).desired = 3;
        model.pass(Duration::ZERO);
    };
    assert_eq!(lacks(more), None);
    let one_of_three = |model: &mut Model| {
        model.side(GREEN).desired = 3;
        model.pass(Duration::ZERO);
        model.healthy_are(GREEN, 2);
    };
    assert_eq!(lacks(one_of_three), told("2/3 targets of web-green healthy"));
}

#[test]
fn a_healthy_target_counts_only_if_a_task_of_ours_stands_behind_it() {
    let lacks = |change: fn(&mut Task)| {
        let change = |model: &mut Model| {
            let tasks = model.world.tasks.get_mut(&format!("arn:{GREEN}")).expect("tasks");
            change(&mut tasks[0]);
        };
        Model::seen(change, |view| view.unsettled().map(|why| wait(&why)))
    };
    let stranger =
        Some("waiting: the healthy target web-green-0:80 is not a task of web:43".to_owned());
    assert_eq!(lacks(|_| {}), None);
    assert_eq!(lacks(|task| task.revision = "arn:x/web:42".into()), stranger);
    assert_eq!(lacks(|task| task.last_status = "STOPPED".into()), stranger);
    assert_eq!(lacks(|task| task.endpoints.clear()), stranger);
    // What was not asked for is no stranger.
    assert_eq!(
        Model::seen(
            |model| model.world.tasks.clear(),
            |view| view.unsettled().map(|why| wait(&why))
        ),
        None
    );
}

#[test]
fn green_is_whole_with_all_that_it_wants_and_short_below_its_least() {
    let of_five = |healthy: usize, percent: u32, share: u32| {
        let mut model = Model::with_share(share);
        model.record.count = 5;
        let green = model.side(GREEN);
        (green.desired, green.min_healthy_percent) = (5, percent);
        model.pass(Duration::ZERO);
        model.healthy_are(GREEN, healthy);
        let view = model.view();
        (view.green_is_whole(), view.green_is_short(), view.progress())
    };
    assert_eq!(of_five(5, 100, 50), (true, false, 5));
    assert_eq!(of_five(4, 100, 50), (false, true, 4));
    assert_eq!(of_five(4, 100, 0), (false, false, 4));
    assert_eq!(of_five(3, 50, 50), (false, false, 3));
    assert_eq!(of_five(2, 50, 50), (false, true, 2));
    assert_eq!(of_five(1, 0, 50), (false, false, 1));
    assert_eq!(of_five(0, 0, 50), (false, true, 0));
}

#[test]
fn traffic_goes_back_to_as_many_as_carry_it_or_to_one_once_green_is_sick_for_long() {
    let lacks = |blue: usize, green: usize, percent: u32, waited: u64| {
        let mut model = Model::with_share(50);
        model.record.count = 4;
        model.side(BLUE).min_healthy_percent = percent;
        for name in [BLUE, GREEN] {
            model.side(name).desired = 4;
        }
        model.pass(Duration::ZERO);
        model.healthy_are(BLUE, blue);
        model.healthy_are(GREEN, green);
        model.watch.reviving_since = Some(at(100));
        model.world.at = at(100 + waited);
        let view = |record: &Record| {
            let view = View { record, watch: &model.watch, world: &model.world };
            (view.blue_lacks().map(|why| wait(&why)), view.waits_for_blue())
        };
        assert!(!view(&model.record).1, "nobody waits for blue on the way forward");
        let (lacks, waits) = view(&model.record.turned_back(Reason::Asked));
        assert_eq!(lacks.is_some(), waits);
        lacks
    };
    let told = |text: &str| Some(format!("{text} targets of web healthy"));
    assert_eq!(lacks(4, 0, 100, 0), None);
    assert_eq!(lacks(1, 0, 100, 0), None, "one that answers is better than none");
    assert_eq!(lacks(3, 1, 100, 29), told("3/4"));
    assert_eq!(lacks(3, 1, 100, 30), None);
    assert_eq!(lacks(0, 3, 100, 30), told("0/1"));
    assert_eq!(lacks(3, 4, 100, 30), told("3/4"));
    assert_eq!(lacks(2, 2, 50, 0), None);
    assert_eq!(lacks(1, 1, 50, 0), told("1/2"));
    assert_eq!(lacks(2, 3, 50, 0), told("2/3"));
    assert_eq!(lacks(1, 0, 0, 0), None);
    assert_eq!(lacks(0, 0, 0, 0), told("0/1"));
}

#[test]
fn of_a_deleted_side_the_rules_tell_the_groups_where_that_is_certain() {
    let pairs = |gone: &str, more: &[(&str, &str)]| {
        let mut model = Model::with_share(50);
        model.world.services.remove(&format!("arn:{gone}"));
        for (nth, (one, other)) in more.iter().enumerate() {
            let mut rule = rule(&format!("more {nth}"), 1, 1);
            for (path, value) in &mut rule.actions {
                match path.rsplit_once("member.").map_or("", |(_, rest)| rest) {
                    "1.TargetGroupArn" => *value = (*one).to_owned(),
                    "2.TargetGroupArn" => *value = (*other).to_owned(),
                    _ => {}
                }
            }
            model.world.rules.insert(rule.arn.clone(), rule);
        }
        let pairs = model.view().pairs().into_iter();
        pairs.map(|pair| (pair.blue, pair.green)).collect::<Vec<_>>()
    };
    let own = [(format!("group:{BLUE}"), format!("group:{GREEN}"))];
    assert_eq!(pairs(GREEN, &[]), own);
    assert_eq!(pairs(BLUE, &[]), own);
    // A rule of others says nothing; one that puts another group beside ours makes it doubtful.
    assert_eq!(pairs(GREEN, &[("group:x", "group:y")]), own);
    assert_eq!(pairs(GREEN, &[("group:web", "group:y")]), []);
    assert_eq!(pairs(BLUE, &[("group:x", "group:web-green")]), []);
}

#[test]
fn a_service_that_is_in_no_target_group_any_more_is_named() {
    let detached = |change: fn(&mut Model)| {
        Model::seen(change, |view| match view.detached() {
            Some(crate::event::Sight::NoGroups { service }) => service,
            other => format!("{other:?}"),
        })
    };
    assert_eq!(detached(|_| {}), "None");
    assert_eq!(detached(|model| model.side(GREEN).attachments.clear()), GREEN);
    assert_eq!(detached(|model| model.side(BLUE).attachments.clear()), BLUE);
    let unread = |model: &mut Model| {
        model.side(GREEN).attachments.clear();
        model.world.groups.clear();
    };
    assert_eq!(detached(unread), "None");
}

#[test]
fn a_side_is_dead_where_only_the_other_one_answers() {
    use crate::route::watch::Side;
    let dead = |blue: usize, green: usize, gone: Option<&str>| {
        let change = |model: &mut Model| {
            model.healthy_are(BLUE, blue);
            model.healthy_are(GREEN, green);
            if let Some(gone) = gone {
                model.side(gone).status = "DRAINING".into();
            }
        };
        Model::seen(change, |view| view.dead_side())
    };
    assert_eq!(dead(2, 2, None), None);
    assert_eq!(dead(0, 0, None), None);
    assert_eq!(dead(0, 1, None), Some(Side::Blue));
    assert_eq!(dead(1, 0, None), Some(Side::Green));
    assert_eq!(dead(2, 2, Some(GREEN)), Some(Side::Green));
    assert_eq!(dead(2, 2, Some(BLUE)), Some(Side::Blue));
}

#[test]
fn the_old_side_never_ran_if_it_ran_nothing_then_and_runs_nothing_now() {
    use crate::record::Had;
    let never = |had: Option<u32>, desired: u32, runs: u32| {
        let change = |model: &mut Model| {
            model.record.had = had.map(|running| Had { running, healthy: Some(running) });
            let blue = model.side(BLUE);
            blue.desired = desired;
            blue.deployments[0].running = runs;
        };
        Model::seen(change, |view| view.old_never_ran())
    };
    assert!(never(Some(0), 2, 0));
    assert!(!never(Some(1), 2, 0));
    assert!(!never(None, 2, 0));
    assert!(!never(Some(0), 0, 0));
    assert!(!never(Some(0), 2, 1));
}

#[test]
fn rules_for_tests_show_no_share_on_the_way_forward() {
    let names = |back: bool| {
        let change = |model: &mut Model| {
            model.record.test_rules = vec!["one".into()];
            if back {
                model.record = model.record.turned_back(Reason::Asked);
            }
        };
        Model::seen(change, |view| {
            view.rules().into_iter().map(|rule| rule.name.clone()).collect::<Vec<_>>()
        })
    };
    assert_eq!(names(false), ["two"]);
    assert_eq!(names(true), ["two", "one"], "users come first");
}
