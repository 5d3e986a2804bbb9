//! A request of a user's: to the name of a load balancer, through its listener and the rule that matches,
//! to a target and what runs there. It knows nothing of AWS's operations.
//!
//! Of the conditions, `path-pattern` and `host-header` are matched; a rule with another one matches nobody.
//! A Network Load Balancer is treated as if it spoke HTTP.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::Value;

use crate::{
    clock::Time,
    elb::dns_name,
    image::Reply,
    network,
    protocol::json::int,
    state::{
        Region,
        elb::{LoadBalancer, Rule, Target},
    },
};

/// Visits spread over weights and targets like multiples of the golden ratio: evenly, in any stretch.
const SPREAD: u64 = 618_033_989;
const WHOLE: u64 = 1_000_000_000;

/// The load balancer that a request is for: by its own name, or by a host that one of its rules names.
pub(crate) fn load_balancer<'r>(
    region: &'r Region,
    request: &Request<Bytes>,
) -> Option<&'r LoadBalancer> {
    let host = request.uri().host()?;
    let named = |rule: &&Rule| {
        conditions(rule).any(|one| {
            one["Field"] == "host-header" && values(one).any(|name| name.eq_ignore_ascii_case(host))
        })
    };
    let listener = region.elb.rules.values().find(named).map(|rule| &rule.listener);
    let listener = listener.and_then(|listener| region.elb.listeners.get(listener));
    let load_balancers = &region.elb.load_balancers;
    let own = load_balancers.values().find(|one| dns_name(one).eq_ignore_ascii_case(host));
    own.or_else(|| load_balancers.get(&listener?.load_balancer))
}

/// What the user gets; `visit` is the number of the request.
pub(crate) fn answer(
    region: &Region,
    load_balancer: &LoadBalancer,
    request: &Request<Bytes>,
    visit: u64,
    now: Time,
) -> Response<Bytes> {
    let uri = request.uri();
    let https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
    let own = |rule: &&Rule| {
        region.elb.listeners.get(&rule.listener).is_some_and(|listener| {
            listener.load_balancer == load_balancer.arn
                && int(listener.members.get("Port")) == Some(port.into())
        })
    };
    let mut rules: Vec<&Rule> = region.elb.rules.values().filter(own).collect();
    rules.sort_by_key(|rule| rule.priority.unwrap_or(u32::MAX));
    let rule = rules.into_iter().find(|rule| matches(rule, request));
    let Some(rule) = rule else { return response(503, "no listener has this port") };
    let node = usize::try_from(visit).unwrap_or(0) % rule.nodes.len().max(1);
    let weights = rule.nodes.get(node).map(Vec::as_slice).unwrap_or_default();
    let Some(group) = weighed(weights, visit) else {
        let fixed = rule
            .actions
            .iter()
            .find_map(|action| action["FixedResponseConfig"]["StatusCode"].as_str()?.parse().ok());
        return response(fixed.unwrap_or(503), "");
    };
    let targets = region.elb.groups.get(group).into_iter().flat_map(|group| group.targets.values());
    let targets: Vec<&Target> =
        targets.filter(|target| target.health.state != "draining").collect();
    let healthy: Vec<&Target> =
        targets.iter().copied().filter(|target| target.health.state == "healthy").collect();
    // Where none is healthy, each of them gets requests.
    let open = if healthy.is_empty() { targets } else { healthy };
    let Some(target) = open.get(spread(visit, open.len() as u64)) else {
        return response(503, "");
    };
    let (reply, body) = network::visit(region, &target.id, target.port, uri.path(), now);
    match reply {
        Reply::Status(status) => response(status, &body),
        Reply::Refused => response(502, ""),
        Reply::Timeout => response(504, ""),
    }
}

/// The place of a visit among so many.
fn spread(visit: u64, among: u64) -> usize {
    let place = visit.wrapping_mul(SPREAD) % WHOLE;
    usize::try_from(place * among / WHOLE).unwrap_or(0)
}

fn weighed(weights: &[(String, u32)], visit: u64) -> Option<&str> {
    let all: u64 = weights.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let mut left = spread(visit, all) as u64;
    weights.iter().find_map(|(group, weight)| {
        let weight = u64::from(*weight);
        if left < weight {
            return Some(group.as_str());
        }
        left -= weight;
        None
    })
}

fn matches(rule: &Rule, request: &Request<Bytes>) -> bool {
    conditions(rule).all(|condition| {
        let text = match condition["Field"].as_str() {
            Some("path-pattern") => request.uri().path(),
            Some("host-header") => request.uri().host().unwrap_or_default(),
            _ => return false,
        };
        values(condition).any(|pattern| fits(pattern.as_bytes(), text.as_bytes()))
    })
}

fn conditions(rule: &Rule) -> impl Iterator<Item = &Value> {
    rule.members.get("Conditions").and_then(Value::as_array).into_iter().flatten()
}

fn values(condition: &Value) -> impl Iterator<Item = &str> {
    let inner = condition.as_object().into_iter().flatten();
    let inner = inner.filter_map(|(_, one)| one.get("Values").and_then(Value::as_array)).next();
    let values = inner.or(condition["Values"].as_array());
    values.into_iter().flatten().filter_map(Value::as_str)
}

/// `*` stands for any text, `?` for one character.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some((b'*', rest)), _) => {
            fits(rest, text) || text.split_first().is_some_and(|(_, text)| fits(pattern, text))
        }
        (Some((b'?', rest)), Some((_, text))) => fits(rest, text),
        (Some((one, rest)), Some((other, text))) => one == other && fits(rest, text),
        (Some(_), None) => false,
    }
}

fn response(status: u16, body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_weight_is_a_tenth_of_the_visits_in_any_stretch() {
        let weights = [("blue".to_owned(), 900), ("green".to_owned(), 100)];
        for start in [0, 7, 1000] {
            let visits = start..start + 50;
            let green = visits.filter(|visit| weighed(&weights, *visit) == Some("green")).count();
            assert!((4..=6).contains(&green), "{green} of 50");
        }
        assert_eq!(weighed(&[("blue".to_owned(), 0)], 3), None);
    }

    #[test]
    fn patterns_of_paths() {
        let fits = |pattern: &str, text: &str| fits(pattern.as_bytes(), text.as_bytes());
        assert!(fits("/img/*", "/img/a/b.png") && fits("/?", "/a") && fits("*", ""));
        assert!(!fits("/img/*", "/image") && !fits("/?", "/"));
    }
}
