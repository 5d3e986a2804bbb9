//! Attributes of load balancers, listeners and target groups, with the defaults that the API reference gives.

use serde_json::{Map, Value, json};

use super::{group_not_found, listener_not_found, load_balancer_not_found, result};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        query::{self, Answer, required},
    },
    state::{Here, elb::Texts},
};

const GATEWAY: &[(&str, &str)] =
    &[("deletion_protection.enabled", "false"), ("load_balancing.cross_zone.enabled", "false")];

const LOAD_BALANCER: &[(&str, &str)] = &[
    ("access_logs.s3.enabled", "false"),
    ("access_logs.s3.bucket", ""),
    ("access_logs.s3.prefix", ""),
    ("deletion_protection.enabled", "false"),
    ("ipv6.deny_all_igw_traffic", "false"),
    ("zonal_shift.config.enabled", "false"),
];

const APPLICATION: &[(&str, &str)] = &[
    ("idle_timeout.timeout_seconds", "60"),
    ("client_keep_alive.seconds", "3600"),
    ("connection_logs.s3.enabled", "false"),
    ("connection_logs.s3.bucket", ""),
    ("connection_logs.s3.prefix", ""),
    ("routing.http2.enabled", "true"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http.desync_mitigation_mode", "defensive"),
    ("routing.http.preserve_host_header.enabled", "false"),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
    ("routing.http.xff_client_port.enabled", "false"),
    ("routing.http.xff_header_processing.mode", "append"),
    ("waf.fail_open.enabled", "false"),
    ("load_balancing.cross_zone.enabled", "true"),
];

const NETWORK: &[(&str, &str)] = &[
    ("load_balancing.cross_zone.enabled", "false"),
    ("dns_record.client_routing_policy", "any_availability_zone"),
    ("secondary_ips.auto_assigned.per_subnet", "0"),
];

/// The headers that a listener of an Application Load Balancer can set.
const HTTP_LISTENER: &[(&str, &str)] = &[
    ("routing.http.response.server.enabled", "true"),
    ("routing.http.response.strict_transport_security.header_value", ""),
    ("routing.http.response.access_control_allow_origin.header_value", ""),
    ("routing.http.response.access_control_allow_methods.header_value", ""),
    ("routing.http.response.access_control_allow_headers.header_value", ""),
    ("routing.http.response.access_control_allow_credentials.header_value", ""),
    ("routing.http.response.access_control_expose_headers.header_value", ""),
    ("routing.http.response.access_control_max_age.header_value", ""),
    ("routing.http.response.content_security_policy.header_value", ""),
    ("routing.http.response.x_content_type_options.header_value", ""),
    ("routing.http.response.x_frame_options.header_value", ""),
];

/// The headers that a secure one can rename beside, each with the suffix `.header_name`.
const HTTPS_LISTENER: &[&str] = &[
    "x_amzn_mtls_clientcert_serial_number",
    "x_amzn_mtls_clientcert_issuer",
    "x_amzn_mtls_clientcert_subject",
    "x_amzn_mtls_clientcert_validity",
    "x_amzn_mtls_clientcert_leaf",
    "x_amzn_mtls_clientcert",
    "x_amzn_tls_version",
    "x_amzn_tls_cipher_suite",
];

const GROUP: &[(&str, &str)] = &[
    ("stickiness.enabled", "false"),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
];

const LAMBDA_GROUP: &[(&str, &str)] =
    &[("stickiness.type", "lb_cookie"), ("lambda.multi_value_headers.enabled", "false")];

const DELAY: &[(&str, &str)] = &[("deregistration_delay.timeout_seconds", "300")];

const GENEVE_GROUP: &[(&str, &str)] = &[
    ("stickiness.enabled", "false"),
    ("stickiness.type", "source_ip_dest_ip_proto"),
    (FAILOVER[0], "no_rebalance"),
    (FAILOVER[1], "no_rebalance"),
];

const FAILOVER: [&str; 2] = ["target_failover.on_deregistration", "target_failover.on_unhealthy"];

const HTTP_GROUP: &[(&str, &str)] = &[
    ("stickiness.type", "lb_cookie"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
    ("stickiness.app_cookie.cookie_name", ""),
    ("stickiness.app_cookie.duration_seconds", "86400"),
    ("slow_start.duration_seconds", "0"),
    ("load_balancing.algorithm.type", "round_robin"),
    ("load_balancing.algorithm.anomaly_mitigation", "off"),
];

const OTHER_GROUP: &[(&str, &str)] = &[
    ("stickiness.type", "source_ip"),
    ("proxy_protocol_v2.enabled", "false"),
    ("preserve_client_ip.enabled", "true"),
    ("deregistration_delay.connection_termination.enabled", "false"),
    ("target_health_state.unhealthy.connection_termination.enabled", "true"),
    ("target_health_state.unhealthy.draining_interval_seconds", "0"),
];

fn texts(lists: &[&[(&str, &str)]]) -> Texts {
    lists
        .iter()
        .copied()
        .flatten()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) fn load_balancer_defaults(kind: &str) -> Texts {
    match kind {
        "application" => texts(&[LOAD_BALANCER, APPLICATION]),
        "network" => texts(&[LOAD_BALANCER, NETWORK]),
        _ => texts(&[GATEWAY]),
    }
}

/// What a listener has before anybody sets anything.
fn listener_defaults(protocol: &str) -> Texts {
    match protocol {
        "HTTP" => texts(&[HTTP_LISTENER]),
        "HTTPS" => {
            let names = HTTPS_LISTENER
                .iter()
                .map(|name| (format!("routing.http.request.{name}.header_name"), String::new()));
            texts(&[HTTP_LISTENER]).into_iter().chain(names).collect()
        }
        "TCP" => texts(&[&[("tcp.idle_timeout.seconds", "350")]]),
        _ => Texts::new(),
    }
}

/// What a listener has now: what was set, else the default.
fn listener_attributes(here: &Here<'_>, arn: &str) -> Result<Texts, Fault> {
    let found = here.region.elb.listeners.get(arn).ok_or_else(listener_not_found)?;
    let mut all = listener_defaults(query::text(&found.members, "Protocol").unwrap_or_default());
    all.extend(found.attributes.clone());
    Ok(all)
}

pub(super) fn of_listener(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let all = listener_attributes(here, required(request, "ListenerArn"))?;
    Ok(result([("Attributes", show(&all))]))
}

pub(super) fn modify_listener(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "ListenerArn").to_owned();
    let mut all = listener_attributes(here, &arn)?;
    let changes = query::list(request, "Attributes");
    for one in changes.iter().filter(|one| one["Key"] == "tcp.idle_timeout.seconds") {
        let seconds = one["Value"].as_str().and_then(|text| text.parse::<u32>().ok());
        if seconds.is_none_or(|seconds| !(60..=6000).contains(&seconds)) {
            return Err(Fault::new(
                "InvalidConfigurationRequest",
                "The value of 'tcp.idle_timeout.seconds' must be between 60 and 6000",
            ));
        }
    }
    let changed = change(&mut all, &changes, "Listener")?;
    if let Some(found) = here.region.elb.listeners.get_mut(&arn) {
        found.attributes = all;
    }
    here.note(Change::Attributes { resource: arn });
    Ok(changed)
}

pub(super) fn group_defaults(members: &Map<String, Value>) -> Texts {
    match query::text(members, "Protocol") {
        None => texts(&[GROUP, LAMBDA_GROUP]),
        Some("GENEVE") => texts(&[DELAY, GENEVE_GROUP]),
        Some("HTTP" | "HTTPS") => texts(&[GROUP, DELAY, HTTP_GROUP]),
        Some(_) => texts(&[GROUP, DELAY, OTHER_GROUP]),
    }
}

pub(super) fn of_load_balancer(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "LoadBalancerArn");
    let found =
        here.region.elb.load_balancers.get(arn).ok_or_else(|| load_balancer_not_found(arn))?;
    Ok(result([("Attributes", show(&found.attributes))]))
}

pub(super) fn modify_load_balancer(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "LoadBalancerArn").to_owned();
    let found = here
        .region
        .elb
        .load_balancers
        .get_mut(&arn)
        .ok_or_else(|| load_balancer_not_found(&arn))?;
    let changed =
        change(&mut found.attributes, &query::list(request, "Attributes"), "Load balancer")?;
    here.note(Change::Attributes { resource: arn });
    Ok(changed)
}

pub(super) fn of_group(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let found = here
        .region
        .elb
        .groups
        .get(required(request, "TargetGroupArn"))
        .ok_or_else(group_not_found)?;
    Ok(result([("Attributes", show(&found.attributes))]))
}

pub(super) fn modify_group(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "TargetGroupArn").to_owned();
    let found = here.region.elb.groups.get_mut(&arn).ok_or_else(group_not_found)?;
    let changes = query::list(request, "Attributes").into_owned();
    for one in &changes {
        check_group(
            one["Key"].as_str().unwrap_or_default(),
            one["Value"].as_str().unwrap_or_default(),
        )?;
    }
    let mut after = found.attributes.clone();
    let changed = change(&mut after, &changes, "Target group")?;
    let protocol = query::text(&found.members, "Protocol").unwrap_or("HTTP");
    let sticky = after.get("stickiness.enabled").is_some_and(|own| own == "true");
    if protocol == "TLS" && sticky {
        let text = "You cannot enable stickiness on target groups with the TLS protocol";
        return Err(Fault::new("InvalidConfigurationRequest", text));
    }
    if let Some(kind) = changes.iter().find(|one| one["Key"] == "stickiness.type") {
        check_stickiness(kind["Value"].as_str().unwrap_or_default(), protocol, &after)?;
    }
    check_pairs(&after)?;
    found.attributes = after;
    here.note(Change::Attributes { resource: arn });
    Ok(changed)
}

fn check_group(key: &str, value: &str) -> Result<(), Fault> {
    let number = value.parse::<u32>();
    let fits = match key {
        "deregistration_delay.timeout_seconds" => number.is_ok_and(|seconds| seconds <= 3600),
        "slow_start.duration_seconds" => {
            number.is_ok_and(|seconds| seconds == 0 || (30..=900).contains(&seconds))
        }
        "stickiness.lb_cookie.duration_seconds" => {
            number.is_ok_and(|seconds| (1..=604_800).contains(&seconds))
        }
        "stickiness.enabled" | "lambda.multi_value_headers.enabled" => {
            value == "true" || value == "false"
        }
        key if FAILOVER.contains(&key) => value == "rebalance" || value == "no_rebalance",
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(Fault::validation(format!(
            "Target group attribute value '{value}' is not valid for '{key}'"
        )))
    }
}

/// Which types of stickiness go with which protocol (API reference of TargetGroupAttribute).
fn check_stickiness(kind: &str, protocol: &str, after: &Texts) -> Result<(), Fault> {
    let invalid = |text: String| Err(Fault::new("InvalidConfigurationRequest", text));
    let http = protocol.starts_with("HTTP");
    let fits = match kind {
        "lb_cookie" | "app_cookie" => http,
        "source_ip" => !http && protocol != "GENEVE",
        "source_ip_dest_ip" | "source_ip_dest_ip_proto" if protocol == "GENEVE" => true,
        _ if protocol == "GENEVE" => {
            return Err(Fault::validation(format!(
                "'{kind}' must be one of [source_ip_dest_ip_proto, source_ip_dest_ip]"
            )));
        }
        _ => {
            return Err(Fault::validation(
                "'Stickiness type' must be one of [app_cookie, lb_cookie, source_ip]",
            ));
        }
    };
    if !fits {
        return invalid(format!(
            "Stickiness type '{kind}' is not supported for target groups with the {protocol} protocol"
        ));
    }
    let name = after.get("stickiness.app_cookie.cookie_name").map_or("", String::as_str);
    if kind == "app_cookie" && name.is_empty() {
        let text =
            "You must set an application cookie name to enable stickiness of type 'app_cookie'";
        return invalid(text.to_owned());
    }
    Ok(())
}

/// Attributes that do not go together (Application Load Balancers User Guide, "Edit target group
/// attributes"; API reference of TargetGroupAttribute).
fn check_pairs(own: &Texts) -> Result<(), Fault> {
    let is = |key: &str, value: &str| own.get(key).is_some_and(|own| own == value);
    let algorithm = "load_balancing.algorithm.type";
    let slow = own.get("slow_start.duration_seconds").is_some_and(|seconds| seconds != "0");
    let random = is(algorithm, "weighted_random");
    let wrong = [
        (
            slow && (random || is(algorithm, "least_outstanding_requests")),
            "Slow start mode requires the round robin algorithm",
        ),
        (
            random && is("stickiness.enabled", "true"),
            "Stickiness cannot be enabled with the weighted random algorithm",
        ),
        (
            !random && is("load_balancing.algorithm.anomaly_mitigation", "on"),
            "Anomaly mitigation requires the weighted random algorithm",
        ),
        (
            own.get(FAILOVER[0]) != own.get(FAILOVER[1]),
            "Both target failover attributes must have the same value",
        ),
    ];
    match wrong.iter().find(|(wrong, _)| *wrong) {
        Some((_, text)) => Err(Fault::new("InvalidConfigurationRequest", *text)),
        None => Ok(()),
    }
}

fn change(attributes: &mut Texts, changes: &[Value], what: &str) -> Answer {
    let mut changed = Vec::new();
    for one in changes {
        let key = one["Key"].as_str().unwrap_or_default();
        if !attributes.contains_key(key) {
            return Err(Fault::validation(format!(
                "{what} attribute key '{key}' is not recognized"
            )));
        }
        changed.push((key.to_owned(), one["Value"].as_str().unwrap_or_default().to_owned()));
    }
    attributes.extend(changed);
    Ok(result([("Attributes", show(attributes))]))
}

fn show(attributes: &Texts) -> Value {
    attributes.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}
