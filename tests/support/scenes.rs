//! The gallery: what is deployed, where, and what must come of it. Every sweep goes over these.

use std::time::Duration;

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::scenario::Scenario;

use crate::support::invariants::Promise;
use crate::support::lives::{REPOSITORY, World, deploy};

/// Green comes up, is given traffic, and falls sick; so do the tasks that replace those.
const SICK_LATER: &str = "[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '50s'";

/// Its targets are healthy, and users get errors.
const WRONG_ANSWERS: &str = "[[image]]\nref = 'shop/web:2'\ndoes = 'serve'\nfails = '/'";

/// One deployment in one world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// The world, and how its images behave.
    toml: &'static str,
    images: &'static str,
    image: &'static str,
    more: &'static str,
    /// Whether the new version stays.
    pub(crate) good: bool,
    /// Tasks of the service.
    pub(crate) count: usize,
    /// Its shares in percent, each with the seconds that it is held; the last one is the bake.
    pub(crate) shares: &'static [(u32, u64)],
    /// Changes that a life may make, and calls.
    pub(crate) changes: usize,
    pub(crate) calls: u32,
}

const ONE_RULE: Scene = Scene {
    name: "one rule",
    toml: "extends = 'shop'",
    images: "",
    image: "2",
    more: "",
    good: true,
    count: 2,
    shares: &[(100, 30)],
    changes: 45,
    calls: 160,
};
const WIDE_ONE: Scene = Scene {
    name: "two of all",
    toml: WIDE,
    more: "--shares 20:30s,100",
    shares: &[(20, 30), (100, 30)],
    changes: 70,
    calls: 320,
    ..ONE_RULE
};
const ARMED: Scene = Scene {
    name: "breaker armed",
    toml:
        "extends = 'shop'\n[[service]]\nserviceName = 'web-green'
        deploymentConfiguration = { deploymentCircuitBreaker = { enable = true, rollback = true } }",
    ..ONE_RULE
};
const FIFTY: Scene = Scene {
    name: "fifty tasks",
    toml: "extends = 'shop'\n[[service]]\nserviceName = 'web'\ndesiredCount = 50",
    count: 50,
    ..ONE_RULE
};
const SLOW: Scene = Scene {
    name: "slow start",
    toml: "extends = 'shop'
        [[service]]\nserviceName = 'web'\nhealthCheckGracePeriodSeconds = 300
        [[service]]\nserviceName = 'web-green'\nhealthCheckGracePeriodSeconds = 300
",
    images: "[[image]]\nref = 'shop/web:2'\ndoes = 'slow'\nready = '90s'
        [[image]]\nref = 'shop/web:3'\ndoes = 'slow'\nready = '24h'",
    more: "--timeout 3m",
    calls: 300,
    ..ONE_RULE
};
const CANARY: Scene = Scene {
    name: "canary",
    more: "--shares 10:30s,50:30s,100",
    shares: &[(10, 30), (50, 30), (100, 30)],
    changes: 50,
    calls: 300,
    ..ONE_RULE
};

pub(crate) const SCALED: Scene = Scene {
    name: "scaled",
    toml: "extends = 'shop'
        [[scalable_target]]\nservice = 'shop/web'\nmin = 1\nmax = 4\ncpu = 20
        [[scalable_target]]\nservice = 'shop/web-green'\nmin = 0\nmax = 4\ncpu = 20\nsuspended = true\n",
    more: "--shares 20:30s,100",
    shares: &[(20, 30), (100, 30)],
    changes: 70,
    calls: 320,
    ..ONE_RULE
};
pub(crate) const SCALED_SICK: Scene = Scene {
    name: "scaled, sick later",
    images: SICK_LATER,
    good: false,
    shares: &[(20, 30), (100, 60)],
    ..SCALED
};

/// A check of the user judges what Application Auto Scaling scales meanwhile.
const SCALED_JUDGED: Scene = Scene {
    name: "scaled, judged",
    more: "--shares 20:30s,100 --check https://shop.example.com/",
    calls: 400,
    ..SCALED
};

/// Tests see green on a listener of theirs, and a check judges it there, and wherever users are.
const TESTED: Scene = Scene {
    name: "a listener for tests",
    toml: "extends = 'shop'
        [[listener]]\nname = 'tests'\nloadBalancer = 'shop'\nport = 8443\nprotocol = 'HTTPS'
        actions = [{ type = 'forward', targetGroups = [{ targetGroup = 'web-a', weight = 1 }] }]\n",
    more: "--test-listener TESTS --shares 50:30s,100 --check https://shop.example.com/",
    shares: &[(0, 60), (50, 30), (100, 30)],
    changes: 60,
    calls: 400,
    ..ONE_RULE
};

/// Each world with a green that stays and one that does not.
pub(crate) const GALLERY: [Scene; 21] = [
    ONE_RULE,
    Scene { name: "one rule, 500", image: "3", good: false, ..ONE_RULE },
    Scene { name: "one rule, exits", image: "4", good: false, ..ONE_RULE },
    Scene {
        name: "one rule, sick later",
        images: SICK_LATER,
        good: false,
        shares: &[(100, 60)],
        ..ONE_RULE
    },
    WIDE_ONE,
    Scene { name: "two of all, exits", image: "4", good: false, ..WIDE_ONE },
    Scene {
        name: "two of all, sick later",
        images: SICK_LATER,
        good: false,
        shares: &[(20, 30), (100, 60)],
        ..WIDE_ONE
    },
    ARMED,
    Scene { name: "breaker armed, 500", image: "3", good: false, ..ARMED },
    FIFTY,
    Scene { name: "fifty tasks, exit", image: "4", good: false, ..FIFTY },
    SLOW,
    Scene { name: "slow start, never", image: "3", good: false, ..SLOW },
    CANARY,
    Scene {
        name: "canary, sick later",
        images: SICK_LATER,
        good: false,
        shares: &[(10, 30), (50, 30), (100, 60)],
        ..CANARY
    },
    SCALED,
    SCALED_SICK,
    SCALED_JUDGED,
    Scene {
        name: "scaled, wrong answers",
        images: WRONG_ANSWERS,
        good: false,
        shares: &[(20, 60)],
        ..SCALED_JUDGED
    },
    TESTED,
    Scene {
        name: "a listener for tests, wrong answers",
        images: WRONG_ANSWERS,
        good: false,
        shares: &[(0, 60)],
        ..TESTED
    },
];

/// The small one.
pub(crate) const SMALL: Scene = ONE_RULE;

impl Scene {
    pub(crate) fn cloud(&self) -> Cloud {
        self.cloud_with("")
    }

    /// The world, and more about it.
    pub(crate) fn cloud_with(&self, more: &str) -> Cloud {
        let toml = format!("{}\n{}\n{more}", self.toml, self.images);
        let scenario = Scenario::parse(&toml, self.name).unwrap_or_else(|error| panic!("{error}"));
        Cloud::from_scenario(&scenario).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The limits of auto scaling that the side with the traffic has.
    pub(crate) fn limits(&self) -> Option<(i64, i64)> {
        self.toml.contains("scalable_target").then_some((1, 4))
    }

    /// The command.
    pub(crate) fn deploy(&self) -> String {
        let (_, bake) = self.shares.last().copied().unwrap_or_default();
        let more = match self.more.contains("TESTS") {
            true => self.more.replace("TESTS", &World::of(self.cloud()).listener(8443)),
            false => self.more.to_owned(),
        };
        deploy(self.image, &format!("--follow 60s --bake {bake}s {more}"))
    }

    /// What goes on with it from another machine. The checks are the first command's.
    pub(crate) fn resume(&self) -> String {
        let skip = if self.is_judged() { " --skip-checks" } else { "" };
        format!("resume --cluster shop --service web --on-conflict supersede{skip}")
    }

    /// A check of the user judges it.
    pub(crate) fn is_judged(&self) -> bool {
        self.more.contains("--check")
    }

    /// What serves in the end.
    pub(crate) fn serving(&self) -> String {
        if self.good { self.new_image() } else { self.old_image() }
    }

    pub(crate) fn new_image(&self) -> String {
        format!("{REPOSITORY}:{}", self.image)
    }

    pub(crate) fn old_image(&self) -> String {
        format!("{REPOSITORY}:1")
    }

    pub(crate) fn exit_code(&self) -> u8 {
        u8::from(!self.good)
    }

    pub(crate) fn promise(&self) -> Promise {
        let (_, bake) = self.shares.last().copied().unwrap_or_default();
        Promise {
            bake: Duration::from_secs(bake),
            follow: Duration::from_secs(60),
            changes: self.changes,
            past: Duration::ZERO,
        }
    }
}

/// Two listeners, two rules each, two target groups a side.
pub(crate) const WIDE: &str = include_str!("wide.toml");
