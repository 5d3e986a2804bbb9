//! Records and twin tags that a stranger wrote. Whoever may tag a task definition must not steer the
//! next deployment: nothing outside the pair and its family is changed, no count is above what the
//! services had, nothing goes to 0, and the exit code says what serves.

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::journal::{Change, Entry};
use serde_json::{Value, json};

use crate::support::invariants::whole;
use crate::support::lives::{REPOSITORY, World, call, deploy};
use crate::support::sweep::sweep;

const YEAR_9999: u64 = 253_402_300_799;

/// Beside the scenario: a service that is nobody's twin, and a family that nobody deployed.
fn strangers(container: &str) -> String {
    let definition = |family: &str, name: &str| {
        format!(
            "[[task_definition]]\nfamily = '{family}'\nnetworkMode = 'awsvpc'
             requiresCompatibilities = ['FARGATE']\ncpu = '256'\nmemory = '512'
             executionRoleArn = 'arn:aws:iam::123456789012:role/shop-execution'
             [[task_definition.containerDefinitions]]\nname = '{name}'
             image = 'public.ecr.aws/{family}/web:1'\nessential = true
             portMappings = [{{ containerPort = 8080 }}]\n"
        )
    };
    format!(
        "{}{}[[service]]\ncluster = 'shop'\nserviceName = 'billing'\ntaskDefinition = 'billing:1'
         desiredCount = 2\nlaunchType = 'FARGATE'
         networkConfiguration = {{ awsvpcConfiguration = {{ subnets = ['subnet-a', 'subnet-b'], securityGroups = ['sg-0a1b2c3d4e5f60718'] }} }}\n",
        definition("evil", container),
        definition("billing", container)
    )
}

/// One engine's world: the second revision went live, so that an older one is there.
#[derive(Clone, Copy, Debug)]
struct Engine {
    scenario: &'static str,
    service: &'static str,
    services: &'static [&'static str],
}

const PAIR: Engine = Engine { scenario: "shop", service: "web", services: &["web", "web-green"] };
const ALONE: Engine = Engine { scenario: "solo", service: "api", services: &["api"] };

impl Engine {
    fn image(self, tag: &str) -> String {
        format!("{}:{tag}", REPOSITORY.replace("/web", &format!("/{}", self.service)))
    }

    fn deploy(self, tag: &str) -> String {
        match self.service {
            "web" => deploy(tag, "--follow 30s --bake 5s"),
            service => {
                format!("deploy --cluster shop --service {service} --image {}", self.image(tag))
            }
        }
    }

    fn world(self) -> Cloud {
        let toml = format!("extends = '{}'\n{}", self.scenario, strangers(self.service));
        let world = World::parsed(&toml);
        let life = world.run(&self.deploy("2"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        world.cloud().clone()
    }

    /// The next image, and one that works.
    fn next(self) -> &'static str {
        if self.service == "web" { "5" } else { "1" }
    }

    fn revision(self, number: u32) -> String {
        format!("arn:aws:ecs:eu-central-1:123456789012:task-definition/{}:{number}", self.service)
    }

    fn verbs(self) -> [String; 5] {
        let target = format!("--cluster shop --service {}", self.service);
        [
            self.deploy(self.next()),
            format!("resume {target} --on-conflict supersede"),
            format!("rollback {target}"),
            format!("abort {target}"),
            format!("status {target}"),
        ]
    }
}

pub(super) fn tag(cloud: &mut Cloud, resource: &str, tags: &[(String, String)]) {
    let tags: Vec<Value> =
        tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    call(
        cloud,
        "ecs",
        "TagResource",
        &json!({ "resourceArn": resource, "tags": tags }).to_string(),
    );
}

pub(super) fn tags_of(cloud: &mut Cloud, revision: &str) -> Vec<(String, String)> {
    let body = json!({ "taskDefinition": revision, "include": ["TAGS"] }).to_string();
    let told: Value =
        serde_json::from_str(&call(cloud, "ecs", "DescribeTaskDefinition", &body)).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tags = told["tags"].as_array().cloned().unwrap_or_default();
    tags.iter().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect()
}

/// The word `key=…` of a tag, another one.
fn with(text: &str, key: &str, value: &str) -> String {
    let mut words: Vec<String> = text
        .split(' ')
        .filter(|word| word.split('=').next() != Some(key))
        .map(str::to_owned)
        .collect();
    words.push(format!("{key}={value}"));
    words.join(" ")
}

/// What our calls changed beyond what any deployment of this service may.
fn overreached(engine: Engine, since: &[Entry], most: u32) -> Option<String> {
    let ours = |entry: &&Entry| {
        entry.call.as_ref().is_some_and(|call| call.user_agent.contains("aws-sdk-rust"))
    };
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let foreign = |service: &str| !engine.services.contains(&name(service).as_str());
    let stranger = |revision: &str| {
        name(revision).rsplit_once(':').map(|(family, _)| family.to_owned())
            != Some(engine.service.to_owned())
    };
    let wrong = |entry: &&Entry| match &entry.change {
        Change::Desired { service, after, before } => {
            foreign(service)
                || *after > most
                // A side of a pair that has no traffic is emptied.
                || (*after == 0 && engine.services.len() == 1 && *before > 0)
        }
        Change::Revision { service, after, .. } => foreign(service) || stranger(after),
        Change::Registered { revision } | Change::Deregistered { revision } => stranger(revision),
        Change::Tagged { resource, .. } => stranger(resource),
        Change::Attributes { resource } => foreign(resource),
        Change::Created { .. } | Change::Deleted { .. } => true,
        _ => false,
    };
    since.iter().filter(ours).find(wrong).map(|entry| format!("{:?}", entry.change))
}

/// Runs a command on a world that was tampered with and judges what it did.
fn judge(engine: Engine, cloud: &Cloud, line: &str) -> Result<String, String> {
    let world = World::of(cloud.clone());
    let from = world.cloud().journal().len();
    let life = world.run(line);
    let told = |why: String| format!("{line}: {why} ({:?})\n{}", life.code, life.text);
    if let Some(what) = overreached(engine, &world.journal(from), 2) {
        return Err(told(what));
    }
    if !matches!(life.code, Some(0 | 1 | 3 | 4 | 5)) {
        return Err(told("no clear outcome".into()));
    }
    if life.code >= Some(3) && !life.text.contains("hint: ") {
        return Err(told("no hint".into()));
    }
    world.wait(60);
    if !world.cloud().violations().is_empty() {
        return Err(told(format!("{:?}", world.cloud().violations())));
    }
    // Whoever serves, serves whole: codes 0 and 1 say so.
    let count = if matches!(life.code, Some(0 | 1)) { 2 } else { 1 };
    whole(&world.cloud(), count).map_err(&told)?;
    if line.starts_with("deploy") && life.code == Some(0) {
        let image = engine.image(engine.next());
        let serving = world.cloud().serving();
        let old = serving
            .iter()
            .filter(|side| side.weight > 0)
            .flat_map(|side| &side.behind)
            .filter(|target| target.state == "healthy")
            .any(|target| target.image.as_deref().is_none_or(|own| !own.starts_with(&image)));
        if old {
            return Err(told(format!("{image} does not serve")));
        }
    }
    Ok(life.text)
}

/// A forgery: tags of the running revision, each with what it is made of.
type Forgery = (&'static str, &'static [(&'static str, &'static str, &'static str)]);

/// `(tag, word, value)`; a tag without words is replaced as a whole. `@old` is a day before.
const OPEN: (&str, &str, &str) = ("state", "", "heading=back why=asked to=0");
const FORWARD: (&str, &str, &str) = ("state", "", "heading=forward to=100");
const FORGERIES: [Forgery; 18] = [
    ("a stranger is green", &[OPEN, ("green", "", "billing")]),
    ("a stranger is blue", &[OPEN, ("blue", "", "billing")]),
    ("a stranger is both", &[OPEN, ("green", "", "billing"), ("blue", "", "billing")]),
    ("the way back is another family's", &[("from", "", "evil:1")]),
    ("the way back of an open one is another family's", &[OPEN, ("from", "", "evil:1")]),
    ("the revision before is another family's", &[FORWARD, ("was", "", "evil:1")]),
    ("the way back is newer", &[OPEN, ("from", "", "999")]),
    ("the way back is not there", &[OPEN, ("from", "", "0")]),
    ("back to no tasks", &[OPEN, ("asked", "", "count=2/0")]),
    ("on to no tasks", &[FORWARD, ("asked", "", "count=0/2")]),
    ("four thousand tasks", &[OPEN, ("plan", "count", "4000"), ("asked", "", "count=4000/4000")]),
    ("on to four thousand", &[FORWARD, ("plan", "count", "4000"), ("asked", "", "count=4000/2")]),
    ("no task need be healthy", &[OPEN, ("asked", "", "min=100/0 max=200/100")]),
    ("seen in the year 9999", &[OPEN, ("owner", "seen", "253402300799")]),
    ("held since the year 9999", &[("state", "", "heading=forward to=100 held=100/253402300799")]),
    ("begun in the year 9999", &[OPEN, ("record", "start", "253402300799")]),
    ("begun a year before", &[OPEN, ("record", "start", "1736942400")]),
    ("of another cluster", &[OPEN, ("cluster", "", "bazaar")]),
];

fn forged(engine: Engine, forgery: &Forgery, carrier: u32) -> Cloud {
    let mut cloud = engine.world();
    let later = cloud.now() + std::time::Duration::from_secs(400);
    cloud.advance(later);
    let mut tags = tags_of(&mut cloud, &engine.revision(2));
    for (key, word, value) in forgery.1 {
        let key = format!("ecs-bg:{key}");
        let old = tags.iter().find(|(own, _)| *own == key).map(|(_, value)| value.clone());
        let new = match *word {
            "" => (*value).to_owned(),
            word => with(&old.unwrap_or_default(), word, value),
        };
        tags.retain(|(own, _)| *own != key);
        tags.push((key, new));
    }
    tag(&mut cloud, &engine.revision(carrier), &tags);
    cloud
}

#[test]
fn a_forged_record_steers_nothing() {
    let mut cases = Vec::new();
    for engine in [PAIR, ALONE] {
        for forgery in &FORGERIES {
            // On the revision that runs, and copied to one that this deployment did not register.
            for carrier in [2, 1] {
                let verbs = engine.verbs().into_iter();
                cases.extend(verbs.map(|line| (engine, forgery, carrier, line)));
            }
        }
    }
    sweep("forged records", cases, |(engine, forgery, carrier, line)| {
        let cloud = forged(*engine, forgery, *carrier);
        let told = judge(*engine, &cloud, line);
        let wrong = |why| format!("{} on {}: {why}", forgery.0, engine.revision(*carrier));
        told.map(drop).map_err(wrong)
    });
}

#[test]
fn an_owner_of_the_year_9999_is_dead_after_three_minutes() {
    for engine in [PAIR, ALONE] {
        let cloud = forged(engine, &FORGERIES[13], 2);
        let text = judge(engine, &cloud, &engine.deploy(engine.next()));
        let text = text.unwrap_or_else(|why| panic!("{why}"));
        assert!(text.contains("serves in"), "{YEAR_9999}: {text}");
    }
}

#[test]
fn a_count_above_the_bound_is_said_and_not_followed() {
    let cloud = forged(ALONE, &FORGERIES[10], 2);
    let world = World::of(cloud);
    let life = world.run("abort --cluster shop --service api");
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("4000") && life.text.contains('2'), "{}", life.text);
}

/// A twin tag alone names nobody: both services must carry it, and one rule must hold both groups.
#[test]
fn a_twin_tag_of_one_side_names_no_twin() {
    for engine in [PAIR, ALONE] {
        let mut cloud = engine.world();
        let service =
            format!("arn:aws:ecs:eu-central-1:123456789012:service/shop/{}", engine.service);
        tag(&mut cloud, &service, &[("ecs-bg:twin".to_owned(), "billing".to_owned())]);
        for line in engine.verbs() {
            let text = judge(engine, &cloud, &line).unwrap_or_else(|why| panic!("{why}"));
            if line.starts_with("deploy") {
                assert!(text.contains("billing"), "{text}");
            }
        }
        // Also where the stranger names it back: no rule holds both.
        let billing = "arn:aws:ecs:eu-central-1:123456789012:service/shop/billing";
        tag(&mut cloud, billing, &[("ecs-bg:twin".to_owned(), engine.service.to_owned())]);
        for line in engine.verbs() {
            judge(engine, &cloud, &line).unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

/// What is ignored is said, with the revision that carries it; the verbs that need it refuse.
#[test]
fn what_is_ignored_is_named() {
    let cloud = forged(ALONE, &FORGERIES[4], 2);
    let run = |line: &str| World::of(cloud.clone()).run(line);
    let target = "--cluster shop --service api";
    let life = run(&format!("resume {target}"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("api:2") && life.text.contains("evil:1"), "{}", life.text);
    let life = run(&ALONE.deploy("1"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("warning: ") && life.text.contains("evil:1"), "{}", life.text);
}

/// Values that a mutation may put anywhere.
const VALUES: [&str; 24] = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "50",
    "99",
    "100",
    "101",
    "4000",
    "4294967295",
    "-1",
    "253402300799",
    "evil:1",
    "billing:1",
    "billing",
    "web",
    "web-green",
    "api",
    "shop",
    "forward",
    "back",
    "live",
    "x",
];

/// Any word of any tag, another one: from the record of a live deployment and of one half done.
#[test]
fn no_mutation_of_a_record_steers_anything() {
    let half_done = |engine: Engine| {
        let world = World::of(engine.world());
        let kept = world.run_kept(&engine.deploy(engine.next()));
        let operation = if engine.service == "web" { "ModifyRule" } else { "UpdateService" };
        let moment = kept.moments.into_iter().find(|one| one.done && one.operation == operation);
        (moment.expect("a change").cloud, 3)
    };
    let worlds: Vec<(Engine, Cloud, u32)> = [PAIR, ALONE]
        .into_iter()
        .flat_map(|engine| {
            let (cloud, carrier) = half_done(engine);
            [(engine, engine.world(), 2), (engine, cloud, carrier)]
        })
        .collect();
    sweep("mutated records", 0..600_u64, |seed| {
        let mut random = fastrand::Rng::with_seed(*seed);
        let (engine, cloud, carrier) = &worlds[random.usize(..worlds.len())];
        let mut cloud = cloud.clone();
        let later = cloud.now() + std::time::Duration::from_secs(200);
        cloud.advance(later);
        let mut tags = tags_of(&mut cloud, &engine.revision(*carrier));
        if random.bool() {
            let state = tags.iter_mut().find(|(key, _)| key == "ecs-bg:state");
            state.expect("a state").1 = if random.bool() { OPEN.2 } else { FORWARD.2 }.to_owned();
        }
        for _ in 0..random.usize(1..3) {
            let at = random.usize(..tags.len());
            let mut words: Vec<String> = tags[at].1.split(' ').map(str::to_owned).collect();
            let word = random.usize(..words.len());
            let mut value = VALUES[random.usize(..VALUES.len())].to_owned();
            if random.u8(..4) == 0 {
                value += &format!("/{}", VALUES[random.usize(..VALUES.len())]);
            }
            words[word] = match words[word].split_once('=') {
                Some((key, _)) => format!("{key}={value}"),
                None => value,
            };
            tags[at].1 = words.join(" ");
        }
        if random.u8(..3) == 0 {
            let [one, other] = [(); 2].map(|()| random.u32(..5000));
            tags.push(("ecs-bg:asked".to_owned(), format!("count={one}/{other}")));
        }
        tag(&mut cloud, &engine.revision(*carrier), &tags);
        let verbs = engine.verbs();
        let line = &verbs[random.usize(..verbs.len())];
        judge(*engine, &cloud, line).map(drop).map_err(|why| format!("{seed}: {tags:?}\n{why}"))
    });
}
