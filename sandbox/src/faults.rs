//! What can happen to a call on its way: the network fails it, or AWS does. One type for both
//! transports (in process and HTTP), and the faults that a world was told to have: by operation and
//! ordinal, or by probability with a seed. It moves no bytes; see `transport`.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{call::Call, duration, ids::Ids, protocol::Fault};

/// Decides the fate of calls.
pub trait Interfere: fmt::Debug + Send + Sync {
    /// The fate of a call that is about to be sent.
    fn with(&self, call: &Call) -> Interference;

    /// A call has had the fate that `with` gave it.
    fn done(&self, call: &Call) {
        let _ = call;
    }
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interference {
    /// Nothing special.
    None,
    /// It never reaches AWS, and nothing is ever heard.
    LoseRequest,
    /// It takes effect, and nothing is ever heard.
    LoseAnswer,
    /// The connection breaks before it reaches AWS.
    ResetBefore,
    /// It takes effect, then the connection breaks.
    ResetAfter,
    /// It takes effect, and the answer comes late: in the client's time, whatever the world's is.
    Slow(Duration),
    /// It takes effect, and the connection breaks in the middle of the answer's body.
    Truncate,
    /// A read is answered from the world as it was so long ago; a change is not touched. The world must
    /// have been told to remember: see `Cloud::remember`.
    Stale(Duration),
    /// AWS refuses it, without effect.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
        /// The message.
        message: String,
    },
}

impl Interference {
    /// Whether the call reaches AWS at all.
    pub(crate) fn arrives(&self) -> bool {
        !matches!(self, Self::LoseRequest | Self::ResetBefore | Self::Error { .. })
    }

    fn error(fault: Fault) -> Interference {
        Self::Error { status: fault.status, code: fault.code, message: fault.message }
    }
}

/// A fault that a world is told to have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Only calls of this operation, such as `UpdateService`; `*` is any.
    pub operation: String,
    /// Only calls to this service, such as `ecs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// From the how-manieth of these calls on, from 1; with no `times`, only this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// How many of these calls, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Each of these calls with this probability, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The same seed, the same calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What happens.
    pub does: Kind,
    /// How long a `slow` answer takes.
    #[serde(
        default,
        rename = "for",
        skip_serializing_if = "Option::is_none",
        with = "duration::option"
    )]
    pub lasts: Option<Duration>,
    /// How old what a `stale` read sees is.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "duration::option")]
    pub age: Option<Duration>,
    /// The HTTP status of an `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The code of an `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The message of an `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// AWS refuses: too many calls.
    Throttle,
    /// AWS answers 500.
    #[serde(rename = "500")]
    Internal,
    /// AWS answers 503.
    #[serde(rename = "503")]
    Unavailable,
    /// The connection breaks before the call takes effect.
    ResetBefore,
    /// The connection breaks after it took effect.
    ResetAfter,
    /// The answer is late.
    Slow,
    /// No effect, and no answer ever.
    LoseRequest,
    /// The call takes effect, and there is no answer ever.
    LoseAnswer,
    /// The body of the answer breaks off.
    Truncate,
    /// The credentials have expired.
    Expired,
    /// The credentials do not allow it.
    Denied,
    /// A read sees the world as it was.
    Stale,
    /// Another error of AWS: `status`, `code` and `message`.
    Error,
}

/// A fault and what has come of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Set {
    /// What it was told.
    #[serde(flatten)]
    pub order: Order,
    /// Calls that it was about, so far.
    pub seen: u64,
    /// Calls that it happened to, so far.
    pub hit: u64,
    #[serde(default)]
    chance: u64,
}

/// The faults of a world; the first that fits a call is the one that it has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Faults(pub(crate) Vec<Set>);

impl Faults {
    /// Refuses orders that make no sense; the message names the member.
    pub(crate) fn new(orders: Vec<Order>) -> Result<Faults, String> {
        let set = |(at, order): (usize, Order)| {
            order.check().map_err(|what| format!("faults[{at}]: {what}"))?;
            let chance = order.seed.unwrap_or(at as u64);
            Ok(Set { order, seen: 0, hit: 0, chance })
        };
        orders.into_iter().enumerate().map(set).collect::<Result<_, _>>().map(Faults)
    }

    /// How far back stale reads look.
    pub(crate) fn memory(&self) -> Duration {
        self.0.iter().filter_map(|set| set.order.age).max().unwrap_or_default()
    }

    /// The fate of a call. Each fault counts the calls that it is about, whether it is the one that
    /// happens or not, so that what one does never moves the ordinals of another.
    pub(crate) fn fate(&mut self, call: &Call, user: &str) -> Option<(Kind, Interference)> {
        let mut fate = None;
        for set in &mut self.0 {
            if set.comes(call) && fate.is_none() {
                set.hit += 1;
                fate = Some((set.order.does, set.order.interference(call, user)));
            }
        }
        fate
    }
}

impl Set {
    fn comes(&mut self, call: &Call) -> bool {
        let order = &self.order;
        let about = (order.operation == "*" || order.operation == call.operation)
            && order.service.as_ref().is_none_or(|service| *service == call.service);
        if !about {
            return false;
        }
        self.seen += 1;
        if let Some(probability) = order.probability {
            let mut ids = Ids::new(self.chance);
            let drawn = (ids.number() >> 11) as f64 / (1_u64 << 53) as f64;
            self.chance = ids.number();
            return drawn < probability && order.times.is_none_or(|times| self.hit < times);
        }
        match (order.nth, order.times) {
            (Some(nth), None) => self.seen == nth,
            (nth, times) => {
                self.seen >= nth.unwrap_or(1) && times.is_none_or(|times| self.hit < times)
            }
        }
    }
}

impl Order {
    fn check(&self) -> Result<(), String> {
        let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
        if self.operation != "*" && !word(&self.operation) {
            return Err("`operation` must be the name of an operation, or \"*\"".into());
        }
        if self.nth == Some(0) {
            return Err("`nth` counts from 1".into());
        }
        if self.times == Some(0) {
            return Err("`times` must be at least 1".into());
        }
        if self.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err("`probability` must be between 0 and 1".into());
        }
        if self.probability.is_some() && self.nth.is_some() {
            return Err("`nth` and `probability` exclude each other".into());
        }
        if self.seed.is_some() && self.probability.is_none() {
            return Err("`seed` goes with `probability`".into());
        }
        let goes =
            |given: bool, member: &str, kind: Kind, name: &str| match (given, self.does == kind) {
                (true, false) => Err(format!("`{member}` goes with does = \"{name}\"")),
                (false, true) => Err(format!("`{member}` is missing: does = \"{name}\" needs it")),
                _ => Ok(()),
            };
        goes(self.lasts.is_some(), "for", Kind::Slow, "slow")?;
        goes(self.age.is_some(), "age", Kind::Stale, "stale")?;
        goes(self.status.is_some(), "status", Kind::Error, "error")?;
        goes(self.code.is_some(), "code", Kind::Error, "error")?;
        if self.status.is_some_and(|status| !(400..600).contains(&status)) {
            return Err("`status` must be between 400 and 599".into());
        }
        if self.message.is_some() && self.does != Kind::Error {
            return Err("`message` goes with does = \"error\"".into());
        }
        Ok(())
    }

    fn interference(&self, call: &Call, user: &str) -> Interference {
        match self.does {
            Kind::Throttle => Interference::error(Fault::throttled(&call.service)),
            Kind::Internal => Interference::error(Fault::internal(&call.service)),
            Kind::Unavailable => Interference::error(Fault::unavailable(&call.service)),
            Kind::Expired => Interference::error(Fault::expired(&call.service)),
            Kind::Denied => {
                let action = format!("{}:{}", call.service, call.operation);
                Interference::error(Fault::denied(&call.service, user, &action, None, false))
            }
            Kind::Error => Interference::Error {
                status: self.status.unwrap_or(400),
                code: self.code.clone().unwrap_or_default(),
                message: self.message.clone().unwrap_or_default(),
            },
            Kind::ResetBefore => Interference::ResetBefore,
            Kind::ResetAfter => Interference::ResetAfter,
            Kind::LoseRequest => Interference::LoseRequest,
            Kind::LoseAnswer => Interference::LoseAnswer,
            Kind::Truncate => Interference::Truncate,
            Kind::Slow => Interference::Slow(self.lasts.unwrap_or_default()),
            Kind::Stale => Interference::Stale(self.age.unwrap_or_default()),
        }
    }
}
