//! One call on its way to the world and back, with what happens to it there: the part that both
//! transports share. It knows neither sockets nor the SDK.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    Cloud, Time, cloud,
    faults::Interference,
    journal::{Call, Change, Entry},
    protocol::Fault,
};

/// What the client gets.
#[derive(Debug)]
pub enum Delivery {
    /// An answer.
    Answer {
        /// As AWS gave it.
        response: Response<Bytes>,
        /// It comes so much later.
        after: Duration,
        /// It does not break off in the middle of its body.
        whole: bool,
    },
    /// The connection breaks.
    Reset,
    /// Nothing, ever.
    Silence,
}

impl Cloud {
    /// Which call a request is. Each has a number of its own, so ask once.
    pub fn call(&mut self, request: &Request<Bytes>) -> Call {
        cloud::call(self, request)
    }

    /// The fate of a call by the faults of this world, noted in the journal if it has one.
    pub fn fate(&mut self, call: &Call) -> Interference {
        let user = self.shared.user(&call.region);
        let Some((does, fate)) = self.faults.fate(call, &user) else { return Interference::None };
        let change = Change::Fault { does };
        self.shared.journal.push(Entry { at: self.shared.now, call: Some(call.clone()), change });
        fate
    }

    /// Lets time pass until `now`, and a call have its fate.
    pub fn deliver(
        &mut self,
        now: Time,
        request: &Request<Bytes>,
        call: &Call,
        fate: &Interference,
    ) -> Delivery {
        let response = match fate {
            Interference::Error { status, code, message } => {
                self.advance(now);
                let fault = Fault { status: *status, code: code.clone(), message: message.clone() };
                Some(cloud::refusal(self, request, &fault))
            }
            Interference::Stale(age) => Some(self.handle_stale(now, request, call.clone(), *age)),
            fate if fate.arrives() => Some(self.handle_as(now, request, call.clone())),
            _ => None,
        };
        match (fate, response) {
            (Interference::LoseRequest | Interference::LoseAnswer, _) => Delivery::Silence,
            (Interference::ResetBefore | Interference::ResetAfter, _) | (_, None) => {
                Delivery::Reset
            }
            (fate, Some(response)) => {
                let after = match fate {
                    Interference::Slow(time) => *time,
                    _ => Duration::ZERO,
                };
                Delivery::Answer { response, after, whole: *fate != Interference::Truncate }
            }
        }
    }
}
