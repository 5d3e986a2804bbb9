//! AWS Secrets Manager and Systems Manager, as far as they say whether a secret or a parameter exists. No values.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::{
    ids::Ids,
    protocol::{
        Fault,
        json::{Answer, Request, raw},
        paging,
        shapes::Shapes,
    },
    state::Here,
};

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::parse(include_str!("protocol/shapes/named.txt")));

/// When everything was made, in seconds since 1970.
const MADE: f64 = 1_767_225_600.0;

/// A member that is missing in a request of awsJson.
fn missing(path: &str) -> Fault {
    let mut letters = path.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    let path: String = first.into_iter().chain(letters).collect();
    Fault::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
        ),
    )
}

/// DescribeSecret, by name or ARN (API reference of AWS Secrets Manager).
pub(crate) fn secrets(here: &mut Here<'_>, operation: &str, request: &Request<'_>) -> Answer {
    if !knows_secrets(operation) {
        return Err(Fault::new("UnknownOperationException", ""));
    }
    request.check(&SHAPES, operation, missing)?;
    let wanted = request.text_of("SecretId").unwrap_or_default();
    if wanted.is_empty() {
        let text = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
        return Err(Fault::new("ValidationException", text));
    }
    let arn = here.arn("secretsmanager", "secret:");
    // An ARN may lack the six characters. A name has none, and an ARN of another place is not here.
    let is_meant = |own: &&String| match wanted.strip_prefix(&arn) {
        Some(last) => *own == last || name(own) == last,
        None => name(own) == wanted,
    };
    let Some(found) = here.region.named.secrets.iter().find(is_meant).cloned() else {
        let text = "Secrets Manager can't find the specified secret.";
        return Err(Fault::new("ResourceNotFoundException", text));
    };
    let version = Ids::of(&found).uuid();
    Ok(raw(&json!({
        "ARN": format!("{arn}{found}"),
        "Name": name(&found),
        "CreatedDate": MADE,
        "LastChangedDate": MADE,
        "VersionIdsToStages": {version: ["AWSCURRENT"]},
    })))
}

pub(crate) fn knows_secrets(operation: &str) -> bool {
    operation == "DescribeSecret"
}

/// A secret's name: its ARN ends with a hyphen and six characters more.
fn name(last: &str) -> &str {
    match last.rsplit_once('-') {
        Some((name, end)) if end.len() == 6 => name,
        _ => last,
    }
}

/// What all parameters have here.
const KIND: [(&str, &str); 3] =
    [("Type", "SecureString"), ("Tier", "Standard"), ("DataType", "text")];

/// DescribeParameters, by name and path, in pages (API reference of Systems Manager).
pub(crate) fn parameters(here: &mut Here<'_>, operation: &str, request: &Request<'_>) -> Answer {
    if !knows_parameters(operation) {
        return Err(Fault::new("UnknownOperationException", ""));
    }
    request.check(&SHAPES, operation, missing)?;
    let filters = filters(request)?;
    let size = match request.int_of("MaxResults") {
        None => 50,
        Some(size @ 1..=50) => size as usize,
        Some(size) => {
            return Err(Fault::new(
                "ValidationException",
                format!(
                    "1 validation error detected: Value '{size}' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 50"
                ),
            ));
        }
    };
    let own = here.region.named.parameters.iter();
    let found = own.filter(|name| filters.iter().all(|filter| filter.fits(name)));
    let show = |name: &String| {
        let path = name.trim_start_matches('/');
        let mut shown = json!({
            "Name": name,
            "ARN": here.arn("ssm", &format!("parameter/{path}")),
            "LastModifiedDate": MADE,
            "LastModifiedUser": here.shared.user(&here.region.name),
            "Version": 1,
            "Policies": [],
        });
        for (member, value) in KIND {
            shown[member] = json!(value);
        }
        (name.clone(), shown)
    };
    let page = paging::page(found.map(show).collect(), request.text_of("NextToken"), size)
        .ok_or_else(|| Fault::new("InvalidNextToken", "The specified token is not valid."))?;
    let mut answer = json!({"Parameters": page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = json!(next);
    }
    Ok(raw(&answer))
}

pub(crate) fn knows_parameters(operation: &str) -> bool {
    operation == "DescribeParameters"
}

/// One filter of parameters.
struct Filter<'r> {
    key: &'r str,
    option: &'r str,
    values: Vec<&'r str>,
}

impl Filter<'_> {
    fn fits(&self, name: &str) -> bool {
        let one = |value: &&str| match (self.key, self.option) {
            ("Name", "BeginsWith") => name.starts_with(value),
            ("Name", "Contains") => name.contains(value),
            ("Name", _) => name == *value,
            ("Path", option) => {
                let below = name.strip_prefix(value.trim_end_matches('/'));
                let rest = below.and_then(|rest| rest.strip_prefix('/'));
                rest.is_some_and(|rest| option == "Recursive" || !rest.contains('/'))
            }
            (key, _) => KIND.contains(&(key, *value)),
        };
        self.values.iter().any(one)
    }
}

/// The filters of a request, or why they are none (API reference, ParameterStringFilter and
/// ParametersFilter, which compares beginnings). Keys, labels and tags are not modelled.
fn filters<'r>(request: &'r Request<'_>) -> Result<Vec<Filter<'r>>, Fault> {
    let list = |member: &str| request.value.get(member).and_then(Value::as_array);
    let (old, new) = (list("Filters"), list("ParameterFilters"));
    if old.is_some() && new.is_some() {
        let text = "You can use either Filters or ParameterFilters in a single request.";
        return Err(Fault::new("ValidationException", text));
    }
    let is_old = old.is_some();
    let mut filters = Vec::new();
    for filter in old.or(new).into_iter().flatten() {
        let key = filter["Key"].as_str().unwrap_or_default();
        let (usual, options): (_, &[&str]) = match key {
            "Name" if is_old => ("BeginsWith", &["BeginsWith"]),
            "Name" => ("Equals", &["Equals", "BeginsWith", "Contains"]),
            "Path" if !is_old => ("OneLevel", &["OneLevel", "Recursive"]),
            "Type" => ("Equals", &["Equals"]),
            "Tier" | "DataType" if !is_old => ("Equals", &["Equals"]),
            _ => {
                let text = format!("The specified key isn't valid: {key}");
                return Err(Fault::new("InvalidFilterKey", text));
            }
        };
        let option = filter["Option"].as_str().unwrap_or(usual);
        if !options.contains(&option) {
            let text = format!("The specified filter option isn't valid: {option}");
            return Err(Fault::new("InvalidFilterOption", text));
        }
        let values = filter["Values"].as_array().into_iter().flatten();
        let values: Vec<&str> = values.filter_map(Value::as_str).collect();
        if values.is_empty() || values.len() > 50 {
            return Err(Fault::new("InvalidFilterValue", "The filter value isn't valid."));
        }
        if key == "Path" && values.iter().any(|value| !value.starts_with('/')) {
            let text = "The parameter path must begin with a forward slash.";
            return Err(Fault::new("InvalidFilterValue", text));
        }
        filters.push(Filter { key, option, values });
    }
    Ok(filters)
}
