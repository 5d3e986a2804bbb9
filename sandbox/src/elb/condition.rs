//! Conditions of rules: what a load balancer takes, and how they are shown.

use serde_json::{Map, Value, json};

use crate::{
    protocol::{Fault, query},
    state::Here,
};

const CONDITIONS: &[&str] = &[
    "host-header",
    "path-pattern",
    "http-header",
    "http-request-method",
    "query-string",
    "source-ip",
];

pub(super) fn check(
    here: &Here<'_>,
    load_balancer: &str,
    request: &Map<String, Value>,
) -> Result<(), Fault> {
    let conditions = query::list(request, "Conditions");
    if conditions.is_empty() {
        return Err(Fault::validation("A rule must have at least one condition"));
    }
    let found = here.region.elb.load_balancers.get(load_balancer);
    let network = found.is_some_and(|one| one.kind == "network");
    let mut values = 0;
    for condition in conditions.iter() {
        let field = condition["Field"].as_str().unwrap_or_default();
        if !CONDITIONS.contains(&field) {
            return Err(Fault::validation(format!(
                "Condition field '{field}' must be one of '{}'",
                CONDITIONS.join(", ")
            )));
        }
        if network && field != "source-ip" {
            return Err(Fault::new(
                "InvalidConfigurationRequest",
                format!(
                    "Condition field '{field}' is not supported for load balancers of type 'network'"
                ),
            ));
        }
        let inner = condition.as_object().into_iter().flatten();
        let own = inner.filter_map(|(_, one)| one.get("Values").and_then(Value::as_array)).next();
        let own = own.or(condition["Values"].as_array());
        values += own.map_or(0, Vec::len);
    }
    if values > 5 {
        return Err(Fault::validation("A rule can only have '5' condition values"));
    }
    Ok(())
}

/// The conditions of host and path are shown both ways: as `Values` and as their own configuration.
pub(super) fn shown(mut members: Map<String, Value>) -> Map<String, Value> {
    let own = [("host-header", "HostHeaderConfig"), ("path-pattern", "PathPatternConfig")];
    if let Some(Value::Array(list)) = members.get_mut("Conditions") {
        for condition in list.iter_mut().filter_map(Value::as_object_mut) {
            let Some((_, config)) = own
                .iter()
                .find(|(field, _)| condition.get("Field").is_some_and(|own| own == field))
            else {
                continue;
            };
            let inner = condition.get(*config).and_then(|config| config.get("Values")).cloned();
            if let Some(values) = inner {
                condition.entry("Values").or_insert(values);
            } else if let Some(values) = condition.get("Values").cloned() {
                condition.insert((*config).to_owned(), json!({"Values": values}));
            }
        }
    }
    members
}
