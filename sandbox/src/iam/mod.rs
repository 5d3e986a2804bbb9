//! What a policy allows: the evaluation of one identity-based policy, as the AWS Identity and Access
//! Management User Guide describes it ("Policy evaluation logic"): nothing is allowed unless a statement
//! allows it, and a statement that denies wins.
//!
//! `policy` reads a document, `condition` judges its conditions, `needs` and `needs_ecs` say which
//! actions on which resources an operation needs.

use std::collections::BTreeMap;

use crate::{protocol::Fault, state::Decides};

mod condition;
pub(crate) mod needs;
mod needs_ecs;
mod policy;

pub(crate) use needs::{Asked, Place};
pub use policy::{Error, Policy};

use policy::{Effect, Statement};

/// Condition keys, in lower case, and their values.
pub(crate) type Keys = BTreeMap<String, Vec<String>>;

/// One action on one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Need {
    pub(crate) action: String,
    /// An ARN; `*` where the action has no resource.
    pub(crate) resource: String,
    pub(crate) keys: Keys,
}

/// Why something is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    DeniedByNobody,
    DeniedExplicitly,
}

impl Policy {
    fn judge(&self, need: &Need) -> Verdict {
        let applies = |statement: &&Statement| statement.applies(need);
        let effects: Vec<Effect> =
            self.statements.iter().filter(applies).map(|statement| statement.effect).collect();
        if effects.contains(&Effect::Deny) {
            Verdict::DeniedExplicitly
        } else if effects.is_empty() {
            Verdict::DeniedByNobody
        } else {
            Verdict::Allowed
        }
    }
}

impl Decides for Policy {
    fn decides(&self, action: &str, resource: &str, keys: &Keys) -> &'static str {
        let (action, resource) = (action.to_owned(), resource.to_owned());
        match self.judge(&Need { action, resource, keys: keys.clone() }) {
            Verdict::Allowed => "allowed",
            Verdict::DeniedByNobody => "implicitDeny",
            Verdict::DeniedExplicitly => "explicitDeny",
        }
    }
}

impl Statement {
    fn applies(&self, need: &Need) -> bool {
        let (actions, except) = &self.actions;
        let named = actions
            .iter()
            .any(|pattern| like(&pattern.to_lowercase(), &need.action.to_lowercase()));
        let (resources, but) = &self.resources;
        let meant = resources.iter().any(|pattern| like(pattern, &need.resource));
        named != *except
            && meant != *but
            && self.conditions.iter().all(|condition| condition.holds(&need.keys))
    }
}

/// `*` is any text, `?` any character.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and how far the text was when it was met.
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(one) if *one == '?' || *one == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, met)) => {
                    star = Some((at, met + 1));
                    p = at + 1;
                    t = met + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|one| *one == '*')
}

/// Refuses a call that a policy does not allow; names the first action that is missing.
pub(crate) fn authorise(
    policy: &Policy,
    place: &Place<'_>,
    mut needs: Vec<Need>,
) -> Result<(), (String, Fault)> {
    place.complete(&mut needs);
    for need in needs {
        let verdict = policy.judge(&need);
        if verdict != Verdict::Allowed {
            let service = &place.call.service;
            // Elastic Load Balancing does not name a resource where there is none.
            let bare = need.resource == "*" && service == "elasticloadbalancing";
            let resource = (!bare).then_some(need.resource.as_str());
            let explicitly = verdict == Verdict::DeniedExplicitly;
            let fault = Fault::denied(service, &place.user, &need.action, resource, explicitly);
            return Err((need.action.to_string(), fault));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "a/b"),
            ("ecs:Describe*", "ecs:DescribeTasks"),
            ("a?c", "abc"),
            ("*b*d", "abbcd"),
            ("a**", "a"),
        ] {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a?", "a"), ("*b", "bc"), ("ecs:List*", "ecs:lists")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }
}
